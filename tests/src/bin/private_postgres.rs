//! A private PostgreSQL for as long as standard input stays open: one for all the test binaries of
//! a run. Its first and only line of output is the value for `PLATFORM_TEST_POSTGRES`.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let server = platform_tests::postgres::Server::start();
    writeln!(io::stdout(), "{}", server.base_url())?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    drop(server);
    Ok(())
}
