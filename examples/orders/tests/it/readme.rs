//! The README shows what is really printed.

use platform_tests::Backend;

use crate::program::Place;

const README: &str = include_str!("../../README.md");
const PROGRAM: &str = "cargo run -p orders";

/// A command of the README and what it shows below it.
struct Shown {
    arguments: Vec<&'static str>,
    output: String,
}

#[tokio::test]
async fn every_output_in_the_readme_is_the_real_one() {
    let place = Place::on(Backend::Sqlite).await;
    let shown = shown();
    assert!(
        shown.len() > 3,
        "the README shows only {} commands",
        shown.len()
    );
    for Shown { arguments, output } in shown {
        let printed = real(&place, &arguments);
        assert_eq!(printed, output, "{PROGRAM} {}", arguments.join(" "));
    }
}

/// Runs a command as the README does: from the root of the project, with the store that it has by itself.
fn real(place: &Place, arguments: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_orders"));
    command
        .args(arguments)
        .current_dir(place.folder())
        .env_remove("ORDERS_STORE");
    // The files that the README names lie beside it.
    let samples = place.folder().join("examples/orders");
    if !samples.exists() {
        std::fs::create_dir_all(&samples).unwrap();
        std::os::unix::fs::symlink(
            concat!(env!("CARGO_MANIFEST_DIR"), "/sample"),
            samples.join("sample"),
        )
        .unwrap();
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        crate::program::told(&output)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The commands in blocks of the kind `console`, each with what follows up to the next.
fn shown() -> Vec<Shown> {
    let blocks = README
        .split("```console\n")
        .skip(1)
        .filter_map(|block| block.split("```").next());
    let commands = blocks.flat_map(|block| block.split("$ ").skip(1));
    commands.map(parse).collect()
}

fn parse(text: &'static str) -> Shown {
    let (command, output) = text.split_once('\n').unwrap();
    let arguments = command
        .strip_prefix(PROGRAM)
        .unwrap()
        .trim_start_matches(" --")
        .split_whitespace();
    Shown {
        arguments: arguments.collect(),
        output: output.to_owned(),
    }
}
