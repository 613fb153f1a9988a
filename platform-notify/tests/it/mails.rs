//! What stands in a mail, whatever the business put into its texts.

use chrono::DateTime;
use platform_tests::{Database, each_backend};

use crate::world::{Order, World, order, rules, shipped};

/// The mail to the customer.
async fn mail_about(database: &Database, customer: &str) -> (String, String) {
    let world = World::of(database).await;
    let order = Order {
        customer: customer.into(),
        ..order("acme", "O-1")
    };
    let at = DateTime::from_timestamp(1_772_000_001, 987_654_321).unwrap();
    world.tell(rules(), shipped(&order).at(at)).await;
    let mut mails = world.mails().into_iter();
    mails
        .find(|(_, mail)| mail.contains("ada@example.com"))
        .unwrap()
}

async fn a_mail_says_who_when_and_what(database: Database) {
    let (name, mail) = mail_about(&database, "Ada").await;
    let id = name.strip_suffix(".eml").unwrap();
    let expected = format!(
        "Date: Wed, 25 Feb 2026 06:13:21 +0000\r\nFrom: The Shop\r\n <shop@example.com>\r\n\
         To: Ada\r\n <ada@example.com>\r\nSubject: Order O-1 for Ada\r\nMessage-ID: <{id}@example.com>\r\n\
         Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n\
         Hello Ada,\r\nyour order O-1 is on its way.\r\n"
    );
    assert_eq!(mail, expected);
}

async fn text_beyond_ascii_is_encoded_everywhere(database: Database) {
    let (_, mail) = mail_about(&database, "Zoë 😀").await;
    assert!(mail.is_ascii());
    assert!(
        mail.contains("\r\nTo: =?utf-8?Q?Zo=C3=AB_=F0=9F=98=80?=\r\n <ada@example.com>\r\n"),
        "{mail}"
    );
    assert!(
        mail.contains("\r\nSubject: =?utf-8?Q?Order_O=2D1_for_Zo=C3=AB_=F0=9F=98=80?=\r\n"),
        "{mail}"
    );
    assert!(mail.contains("Hello Zo=C3=AB =F0=9F=98=80,\r\n"), "{mail}");
}

async fn no_text_leaves_its_header(database: Database) {
    let (_, mail) = mail_about(&database, "Eve>\r\nBcc: eve@example.com\r\n\r\n<b>").await;
    let (headers, _) = mail.split_once("\r\n\r\n").unwrap();
    let names: Vec<_> = headers
        .split("\r\n")
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Date",
            "From",
            "To",
            "Subject",
            "Message-ID",
            "Auto-Submitted",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding"
        ]
    );
    assert!(
        headers.contains("Subject: Order O-1 for Eve>  Bcc: eve@example.com    <b>\r\n"),
        "{headers}"
    );
    let to = headers
        .split("\r\nTo: ")
        .nth(1)
        .unwrap()
        .split("\r\nSubject")
        .next()
        .unwrap();
    assert_eq!(to.matches('@').count(), 1, "{to}");
}

each_backend!(
    a_mail_says_who_when_and_what,
    text_beyond_ascii_is_encoded_everywhere,
    no_text_leaves_its_header,
);
