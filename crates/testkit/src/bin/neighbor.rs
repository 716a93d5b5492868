//! A second server for tests, in a process of its own: `neighbor DATABASE_URL DIRECTORY`. See `Server::neighbor`. What must not
//! live here: anything that the server of the tests' own process doesn't do.

use std::path::PathBuf;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(database_url), Some(directory)) = (arguments.next(), arguments.next()) else {
        eprintln!("neighbor DATABASE_URL DIRECTORY");
        return;
    };
    regalia_testkit::neighbor(database_url, &PathBuf::from(directory)).await;
}
