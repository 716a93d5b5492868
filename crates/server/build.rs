//! Lets the crate build without the web assets, which need Node.

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=../../web/dist");
    std::fs::create_dir_all("../../web/dist/graphiql")
}
