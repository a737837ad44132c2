// SPDX-License-Identifier: MIT

//! Finds the sources of the two crates that keep their maskers private, so that main.rs can compile just those files:
//! what is measured is the crate's own code, called directly. Also tells main.rs the versions.

use std::{env, fs, path::Path, process::Command};

const CRATES: [(&str, Option<&str>); 5] = [
    ("fastwebsockets", None),
    ("httparse", None),
    ("simdutf8", None),
    ("tokio-websockets", Some("src/mask.rs")),
    ("tungstenite", Some("src/protocol/frame/mask.rs")),
];

/// The folder of a crate, as `cargo metadata` names its manifest.
fn folder_of<'a>(metadata: &'a str, name: &str) -> &'a Path {
    metadata
        .split("\"manifest_path\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(|manifest| Path::new(manifest).parent().expect("a manifest lies in a folder"))
        .find(|folder| {
            let versioned = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let version = versioned.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
            version.starts_with(char::is_numeric)
        })
        .unwrap_or_else(|| panic!("the sources of {name} were not found"))
}

fn main() {
    let cargo = env::var("CARGO").expect("cargo sets CARGO");
    let arguments = ["metadata", "--format-version", "1", "--offline"];
    let output = Command::new(cargo).args(arguments).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let mut private = String::new();
    for (name, masker) in CRATES {
        let folder = folder_of(&metadata, name);
        let identifier = name.replace('-', "_");
        if let Some(masker) = masker {
            let source = folder.join(masker);
            private += &format!("#[allow(dead_code, unexpected_cfgs)]\n#[path = {source:?}]\nmod {identifier}_mask;\n");
        }
        let versioned = folder.file_name().and_then(|name| name.to_str()).expect("the folder has a name");
        println!("cargo:rustc-env=VERSION_{}={}", identifier, &versioned[name.len() + 1..]);
    }
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("private.rs"), private).expect("OUT_DIR can be written");
    println!("cargo:rerun-if-changed=build.rs");
}
