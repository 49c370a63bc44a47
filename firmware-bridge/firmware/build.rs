//! Tells the linker where the chip's memory is described, and to lay the program out for it.

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where this is");
    println!("cargo:rustc-link-search={here}");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=memory.x");
}
