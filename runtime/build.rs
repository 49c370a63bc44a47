//! Builds the program anew when a file of the template comes or goes: the macro that embeds the folder only sees files that it knows.

fn main() {
    println!("cargo::rerun-if-changed=../workspace");
}
