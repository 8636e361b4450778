use http::StatusCode;
use http::header::{ACCEPT_ENCODING, ETAG, IF_NONE_MATCH};
use tempfile::TempDir;

use crate::support::{Answer, Program, eventually, get_with};

const WASM: &str = "/pkg/rad-monitor.wasm";

/// A folder with a site whose WebAssembly is this program's own machine code: it compresses as the real one does.
fn site() -> (TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let program = std::fs::read(env!("CARGO_BIN_EXE_rad-monitor")).unwrap();
    let from = program.len() / 4;
    let content = program[from..from + 600_000].to_vec();
    std::fs::create_dir_all(folder.path().join("site/pkg")).unwrap();
    write(&folder, WASM, &content);
    write(&folder, "/picture.png", &[7; 4_000]);
    (folder, content)
}

fn write(folder: &TempDir, path: &str, content: &[u8]) {
    std::fs::write(folder.path().join("site").join(path.trim_start_matches('/')), content).unwrap();
}

fn start(folder: &TempDir) -> Program {
    let site = folder.path().join("site");
    Program::with_environment("", &[("LEPTOS_SITE_ROOT", site.to_str().unwrap())])
}

async fn ask(program: &Program, path: &str, encodings: &str) -> Answer {
    get_with(program.console, path, &[(ACCEPT_ENCODING.as_str(), encodings)]).await
}

fn unpacked(answer: &Answer) -> Vec<u8> {
    let mut content = Vec::new();
    match answer.headers.get("content-encoding").map(|encoding| encoding.to_str().unwrap()) {
        Some("br") => brotli::BrotliDecompress(&mut &answer.body[..], &mut content).unwrap(),
        Some("gzip") => {
            std::io::copy(&mut flate2::read::GzDecoder::new(&answer.body[..]), &mut content)
                .map(drop)
                .unwrap();
        }
        _ => content.extend(&answer.body),
    }
    content
}

// A build for development does not compress.
#[cfg_attr(debug_assertions, ignore)]
#[tokio::test]
async fn what_goes_over_the_wire_is_as_small_as_brotli_makes_it() {
    let (folder, content) = site();
    let program = start(&folder);
    let first = ask(&program, WASM, "gzip, deflate, br, zstd").await;
    assert_eq!(first.header("content-encoding"), "br");
    assert!(first.body.len() < content.len() / 2, "{}", first.body.len());
    assert_eq!(unpacked(&first), content);
    let mut smallest = Vec::new();
    let best = brotli::enc::BrotliEncoderParams { quality: 11, ..Default::default() };
    brotli::BrotliCompress(&mut &content[..], &mut smallest, &best).unwrap();
    let later = eventually("it becomes as small as can be", async || {
        let later = ask(&program, WASM, "br").await;
        (later.body.len() * 100 <= smallest.len() * 102).then_some(later)
    })
    .await;
    assert!(later.body.len() < first.body.len());
    assert_eq!(unpacked(&later), content);
    assert_eq!(later.number("content-length"), later.body.len() as u64);
    // The same content in other bytes: another tag, but the old one still holds.
    assert_ne!(later.header("etag"), first.header("etag"));
    let again = get_with(program.console, WASM, &[(IF_NONE_MATCH.as_str(), first.header("etag"))]).await;
    assert_eq!((again.status, again.header("etag")), (StatusCode::NOT_MODIFIED, first.header("etag")));
}

#[tokio::test]
async fn each_client_gets_the_encoding_that_it_takes_and_is_told_if_nothing_changed() {
    let (folder, content) = site();
    let program = start(&folder);
    for (accepted, encoding) in [("br", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip"), ("identity", "")] {
        let answer = ask(&program, WASM, accepted).await;
        assert_eq!(answer.status, StatusCode::OK);
        if !cfg!(debug_assertions) {
            let sent = answer.headers.get("content-encoding").map_or("", |sent| sent.to_str().unwrap());
            assert_eq!(sent, encoding, "{accepted}");
        }
        assert_eq!(answer.header("content-type"), "application/wasm");
        assert_eq!(answer.header("cache-control"), "no-cache");
        assert_eq!(answer.header("vary"), "accept-encoding");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(unpacked(&answer), content);
        let tag = answer.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag} is not strong");
        let asked = [(ACCEPT_ENCODING.as_str(), accepted), (IF_NONE_MATCH.as_str(), &tag)];
        let unchanged = get_with(program.console, WASM, &asked).await;
        assert_eq!((unchanged.status, unchanged.body.len()), (StatusCode::NOT_MODIFIED, 0));
        assert_eq!((unchanged.header("etag"), unchanged.header("vary")), (tag.as_str(), "accept-encoding"));
    }
    let other = get_with(program.console, WASM, &[(IF_NONE_MATCH.as_str(), "\"something-else\"")]).await;
    assert_eq!(other.status, StatusCode::OK);
}

#[tokio::test]
async fn a_file_that_changes_is_never_served_as_it_was() {
    let (folder, _) = site();
    let program = start(&folder);
    let before = ask(&program, WASM, "br").await;
    write(&folder, WASM, &[b'n'; 5_000]);
    let held = [(ACCEPT_ENCODING.as_str(), "br"), (IF_NONE_MATCH.as_str(), before.header("etag"))];
    let after = get_with(program.console, WASM, &held).await;
    assert_eq!((after.status, unpacked(&after)), (StatusCode::OK, vec![b'n'; 5_000]));
    assert_ne!(after.headers[ETAG], before.headers[ETAG]);
    // As long as before, and all the same another file.
    write(&folder, WASM, &[b'm'; 5_000]);
    assert_eq!(unpacked(&ask(&program, WASM, "br").await), vec![b'm'; 5_000]);
    std::fs::remove_file(folder.path().join("site/pkg/rad-monitor.wasm")).unwrap();
    assert_eq!(ask(&program, WASM, "br").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn files_that_are_small_already_go_out_as_they_are_and_none_from_outside_the_folder() {
    let (folder, _) = site();
    let program = start(&folder);
    let picture = ask(&program, "/picture.png", "br, gzip").await;
    assert_eq!((picture.status, &picture.body[..]), (StatusCode::OK, &[7; 4_000][..]));
    assert_eq!(picture.header("cache-control"), "no-cache");
    std::fs::write(folder.path().join("outside.txt"), "outside").unwrap();
    for path in ["/../outside.txt", "/%2e%2e/outside.txt", "/pkg/..%2f..%2foutside.txt"] {
        let answer = ask(&program, path, "identity").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}
