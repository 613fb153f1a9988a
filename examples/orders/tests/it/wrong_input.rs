//! What is wrong is named with its place and the way to mend it; the rest goes on.

use platform_tests::{Backend, Database, each_backend};

use crate::program::{CUSTOMERS, ORDERS, Place, told};

const CUSTOMER: &str = "id,name,email,city,country";
const ORDER: &str = "id,customer,status,ordered_at,required_at,shipped_at,currency,total";

/// A row and what is said about it.
type Wrong = (&'static [u8], &'static str);

const WRONG_CUSTOMERS: &[Wrong] = &[
    (b"C-9,Andr\xe9,,,", "name is not UTF-8"),
    (b",Ada,,,", "id is empty"),
    (b"C-9,,,,", "name is empty"),
    (b"C-9,Ada\0,,,", "control character"),
    (b"\"C\n9\",Ada,,,", "id contains a line break"),
    (b"C-9,Ada,\"a@b.example, c@d.example\",,", "is no address"),
    (b"C-9,Ada,,", "too few columns: 4 instead of 5"),
    (b"C-9,Ada,,,,", "too many columns: 6 instead of 5"),
];
const WRONG_ORDERS: &[Wrong] = &[
    (b"O-9,,placed,,,,EUR,1", "customer is empty"),
    (b"O-9,C-1,,,,,EUR,1", "status is empty"),
    (
        b"O-9,C-1,placed,2026-02-30,,,EUR,1",
        "ordered_at \"2026-02-30\" is no date",
    ),
    (
        b"O-9,C-1,placed,,3.4.2026,,EUR,1",
        "required_at \"3.4.2026\" is no date",
    ),
    (
        b"O-9,C-1,placed,,,2026-03-01T25:00:00Z,EUR,1",
        "shipped_at \"2026-03-01T25",
    ),
    (
        b"O-9,C-1,placed,,,,Euro,1",
        "currency \"Euro\" is no currency",
    ),
    (
        b"O-9,C-1,placed,,,,EUR,\"1,50\"",
        "total \"1,50\" is no decimal",
    ),
    (b"O-9,C-1,placed,,,,EUR,", "total is empty"),
    (
        b"O-9,C-1,placed,,,,EUR,0.1234567",
        "total 0.1234567 is too long",
    ),
];

async fn wrong_rows_are_rejected_with_line_and_reason_and_the_rest_goes_on(database: Database) {
    let place = Place::with(database);
    for (n, (row, reason)) in WRONG_CUSTOMERS.iter().enumerate() {
        check(&place, &[CUSTOMER, &format!("C-{n},Ada,,,")], row, reason);
    }
    for (n, (row, reason)) in WRONG_ORDERS.iter().enumerate() {
        check(
            &place,
            &[ORDER, &format!("O-{n},C-1,placed,,,,EUR,1")],
            row,
            reason,
        );
    }
    let (long, huge) = ("x".repeat(257), "y".repeat(300 * 1024));
    let (long, huge) = (format!("{long},Ada,,,"), format!("C-9,{huge},,,"));
    check(
        &place,
        &[CUSTOMER, "L-1,Ada,,,"],
        long.as_bytes(),
        "id has 257 bytes; at most 256",
    );
    check(
        &place,
        &[CUSTOMER, "L-2,Ada,,,"],
        huge.as_bytes(),
        "name has 307200 bytes; at most",
    );
    let longest = "x".repeat(256);
    let told = place.succeed(&[
        "import",
        place
            .file("id.csv", format!("{CUSTOMER}\n{longest},Ada,,,\n"))
            .to_str()
            .unwrap(),
    ]);
    assert!(told.contains("1 new"), "{told}");
}

/// Imports the wrong row between the header and the good row.
fn check(place: &Place, [header, good]: &[&str; 2], row: &[u8], reason: &str) {
    let file = [header.as_bytes(), b"\n", row, b"\n", good.as_bytes(), b"\n"].concat();
    let told = place.succeed(&["import", place.file("f.csv", file).to_str().unwrap()]);
    let words = "2 rows, 1 new, 0 changed, 0 unchanged, warning: 1 rejected, see ";
    assert!(told.contains(words), "{reason}: {told}");
    let rejects = place.read("f.csv.rejected.csv");
    let (head, kept) = rejects.split_once('\n').unwrap();
    assert_eq!(head, format!("line,reason,{header}"));
    assert!(
        kept.starts_with("2,") && kept.replace("\"\"", "\"").contains(reason),
        "{reason}: {kept:.200}"
    );
}

async fn rejects_never_overwrite_what_is_imported(database: Database) {
    let place = Place::with(database);
    let file = place.file("c.csv", CUSTOMERS);
    let name = file.to_str().unwrap();
    let refused = place.run(&["import", "--rejects", name, name]);
    assert!(!refused.status.success());
    assert!(
        told(&refused).contains("would overwrite"),
        "{}",
        told(&refused)
    );
    assert_eq!(place.read("c.csv"), CUSTOMERS);
}

each_backend!(
    rejects_never_overwrite_what_is_imported,
    wrong_rows_are_rejected_with_line_and_reason_and_the_rest_goes_on
);

#[tokio::test]
async fn a_strict_import_ends_with_status_3_after_doing_everything() {
    let place = Place::on(Backend::Sqlite).await;
    let file = place.file("c.csv", format!("{CUSTOMERS}C-3,,,,\n"));
    let output = place.run(&[
        "import",
        "--strict",
        file.to_str().unwrap(),
        "--rejects",
        "bad.csv",
    ]);
    assert_eq!(output.status.code(), Some(3), "{}", told(&output));
    assert_eq!(
        place.read("bad.csv"),
        format!("line,reason,{CUSTOMER}\n4,name is empty,C-3,,,,\n")
    );
    assert_eq!((place.count("customers"), place.count("handled")), (2, 6));
}

#[tokio::test]
async fn a_mended_reject_file_can_be_imported_as_it_is() {
    let place = Place::on(Backend::Sqlite).await;
    let file = place.file("c.csv", format!("{CUSTOMERS}C-3,,,,\n"));
    place.succeed(&["import", file.to_str().unwrap()]);
    let mended = place
        .read("c.csv.rejected.csv")
        .replace("C-3,,", "C-3,Zoë,");
    let told = place.succeed(&["import", place.file("mended.csv", mended).to_str().unwrap()]);
    assert!(
        told.contains("1 rows, 1 new") && told.contains("are ignored: line, reason"),
        "{told}"
    );
}

#[tokio::test]
async fn an_unknown_customer_is_no_reason_to_reject_an_order() {
    let place = Place::on(Backend::Sqlite).await;
    let file = place.file("o.csv", ORDERS);
    place.succeed(&["import", file.to_str().unwrap()]);
    assert_eq!((place.count("orders"), place.count("mails")), (2, 0));
}

#[tokio::test]
async fn rows_keep_their_line_whatever_stands_before_them() {
    let place = Place::on(Backend::Sqlite).await;
    for (name, start, end) in [("unix.csv", "", "\n"), ("windows.csv", "\u{feff}", "\r\n")] {
        let rows = "C-1,\"Ada\nL\",,,Norway\nC-3,,,,\n\n\nC-4,\"\n\",,,\nC-2,Ben,,,\nC-5,,,,";
        let text = format!("{start}{CUSTOMER}\n{rows}").replace('\n', end);
        let told = place.succeed(&["import", place.file(name, text).to_str().unwrap()]);
        assert!(told.contains("warning: 3 rejected"), "{told}");
        let rejects = place.read(&format!("{name}.rejected.csv"));
        let lines: Vec<&str> = rejects
            .lines()
            .filter_map(|line| line.strip_suffix(",name is empty,C-3,,,,"))
            .collect();
        assert_eq!(lines, ["4"], "{rejects}");
        assert!(
            rejects.contains("\n7,name is empty,C-4") && rejects.contains("\n10,name is empty,C-5"),
            "{rejects}"
        );
    }
    let told = place.succeed(&["history", "customer", "C-1"]);
    assert!(told.ends_with("country: \"Norway\"\n"), "{told}");
}

#[tokio::test]
async fn a_file_that_cannot_be_imported_says_what_is_wrong_with_it() {
    let place = Place::on(Backend::Sqlite).await;
    let open = format!("{CUSTOMERS}C-3,\"Ada{}", "\nC-4,Ben,,,".repeat(200_000));
    for (name, content, words) in [
        (
            "empty.csv",
            String::new(),
            "is empty; its first line names the columns",
        ),
        (
            "other.csv",
            "a;b\n1;2\n".to_owned(),
            "it has to name the columns `id,name,email,city,country` or `id,customer",
        ),
        (
            "twice.csv",
            format!("{CUSTOMER},id\n"),
            "the column id is there twice",
        ),
        (
            "open.csv",
            open,
            "the row of line 4: a row has more than 1048576 bytes; is a quotation mark left open?",
        ),
    ] {
        let output = place.run(&["import", place.file(name, content).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        let told = told(&output);
        assert!(told.contains(words) && told.contains(name), "{told}");
    }
    assert_eq!(
        place.count("customers"),
        2,
        "what stood before the open quotation mark is taken"
    );
}

#[tokio::test]
async fn a_wrong_command_says_how_to_mend_it() {
    let place = Place::on(Backend::Sqlite).await;
    for (arguments, words) in [
        (&["import", "missing.csv"][..], "cannot open missing.csv"),
        (
            &["import", "a.csv", "b.csv", "--rejects", "r.csv"],
            "--rejects is for one FILE",
        ),
        (
            &["history", "order", "O-404"],
            "nothing is remembered of order \"O-404\" of tenant default",
        ),
        (
            &["--store", "mysql://x", "status"],
            "write sqlite://FILE or postgres://",
        ),
        (
            &["--store", "sqlite://no/such/folder/x.db", "status"],
            "check that its folder exists",
        ),
        (
            &["--store", "postgres://nobody@127.0.0.1:1/none", "status"],
            "check that it runs",
        ),
        (
            &["revenue", "--tenant", "a b"],
            "the tenant \"a b\" contains ' '",
        ),
        (&["redrive"], "--because"),
        (&["import"], "FILE"),
    ] {
        let output = place.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(
            told(&output).contains(words),
            "{arguments:?}: {}",
            told(&output)
        );
    }
}
