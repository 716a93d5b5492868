//! A second server for tests, in a process of its own: `neighbor DATABASE_URL DIRECTORY`. See `Server::neighbor`.

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
