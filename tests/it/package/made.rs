//! The package is made of the programs under test, and is as Debian wants it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::house::files::{files, repository};
use crate::house::links;
use crate::support::process::run;

/// The programs under test, without what debuggers want of them.
fn programs(at: &Path) {
    fs::create_dir_all(at).unwrap();
    for (name, program) in
        [("calibd", env!("CARGO_BIN_EXE_calibd")), ("calibctl", env!("CARGO_BIN_EXE_calibctl"))]
    {
        run(Command::new("strip").arg("-o").arg(at.join(name)).arg(program));
    }
}

/// Makes the package of some programs; answers where it is.
fn make(programs: &Path, into: &Path) -> PathBuf {
    let mut command = Command::new(repository().join("packaging/build-deb"));
    command.arg("--fast").arg("--programs").arg(programs).arg("--out").arg(into);
    PathBuf::from(run(&mut command).trim())
}

/// The same package under another version.
fn renamed(package: &Path, version: &str, to: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    run(Command::new("dpkg-deb").arg("-R").arg(package).arg(&tree));
    let control = tree.join("DEBIAN/control");
    let text = fs::read_to_string(&control).unwrap();
    let before = text.lines().find(|line| line.starts_with("Version: ")).unwrap();
    fs::write(&control, text.replace(before, &format!("Version: {version}"))).unwrap();
    run(Command::new("dpkg-deb").args(["-Znone", "--root-owner-group", "-b"]).arg(&tree).arg(to));
}

/// A folder with the package as `new.deb`, and as `old.deb` under an older version.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
        let _ = fs::remove_dir_all(&folder);
        programs(&folder.join("programs"));
        let package = make(&folder.join("programs"), &folder);
        fs::rename(package, folder.join("new.deb")).unwrap();
        renamed(&folder.join("new.deb"), "0.0.9-1", &folder.join("old.deb"));
        folder
    })
}

#[test]
fn lintian_finds_no_error() {
    let mut lintian = Command::new("lintian");
    lintian.args(["--allow-root", "--fail-on", "error", "--tag-display-limit", "0"]);
    let output = lintian.arg(folder().join("new.deb")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The package's files.
fn unpacked() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    run(Command::new("dpkg-deb").arg("-x").arg(folder().join("new.deb")).arg(dir.path()));
    dir
}

#[test]
fn no_document_of_the_package_has_a_link_that_leads_nowhere() {
    let dir = unpacked();
    let documents = dir.path().join("usr/share/doc/calibd");
    let read: Vec<PathBuf> =
        files(&documents).into_iter().filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    let faults: Vec<String> = read.iter().flat_map(|path| links::faults(path)).collect();
    assert!(read.len() > 30, "{read:?}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let readme = fs::read_to_string(documents.join("README.md")).unwrap();
    assert!(readme.contains("](examples/norris.csv)") && readme.contains("](docs/start.md)"));
    // What only leads to the sources is not there at all.
    let text = |name: &str| fs::read_to_string(documents.join("docs").join(name)).unwrap();
    let (by_task, card) = (text("README.md"), text("flash.md"));
    assert!(by_task.contains("[architecture](architecture.md)") && !by_task.contains("decisions"));
    assert!(card.contains("fdatasync") && !card.contains("0041"), "{card}");
}

/// The words of a text that may be paths, but those that a link leads to.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let behind_target = |piece| str::split_once(piece, ')').map_or("", |(_, rest)| rest);
    let pieces = text.split("](").enumerate();
    let told = pieces.map(move |(place, piece)| if place == 0 { piece } else { behind_target(piece) });
    let words = told.flat_map(|piece| piece.split(|c: char| !(c.is_alphanumeric() || "/._-".contains(c))));
    words.map(|word| word.trim_end_matches(['.', '/']))
}

#[test]
fn the_documents_of_the_package_name_files_by_where_they_are_installed() {
    let dir = unpacked();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in files(&dir.path().join("usr/share/doc/calibd")) {
        // The changelog is compressed.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for named in paths(&text) {
            // Installed as what calibd reads, and named in how it is done without a package.
            let in_the_sources = (named.starts_with("docs/") || named.starts_with("config/"))
                && named != "config/package.toml"
                && repository().join(named).exists();
            let installed = named.starts_with("/usr/share/doc/calibd");
            seen += usize::from(installed);
            if in_the_sources || installed && !dir.path().join(&named[1..]).exists() {
                wrong.push(format!("{}: {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 15, "{seen}");
}

#[test]
fn the_same_programs_make_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let copies = dir.path().join("copies");
    // Other paths, other times, other rights.
    programs(&copies);
    run(Command::new("chmod").arg("-R").arg("go-rwx").arg(&copies));
    let again = fs::read(make(&copies, &dir.path().join("again"))).unwrap();
    assert!(again == fs::read(folder().join("new.deb")).unwrap());
}

#[test]
fn the_package_has_the_version_of_the_program() {
    let field = |name: &str| run(Command::new("dpkg-deb").arg("-f").arg(folder().join("new.deb")).arg(name));
    assert_eq!(field("Version").trim(), concat!(env!("CARGO_PKG_VERSION"), "-1"));
    let changelog = fs::read_to_string(repository().join("packaging/debian/changelog")).unwrap();
    let head = concat!("calibd (", env!("CARGO_PKG_VERSION"), "-1) ");
    assert!(changelog.starts_with(head), "packaging/debian/changelog begins with `{head}`");
    // What the programs take of the C library is in what the package depends on.
    let depends = field("Depends");
    assert!(depends.contains("libc6 (>= 2.") && depends.contains("systemd"), "{depends}");
}
