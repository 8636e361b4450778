use super::{errors, parse};

#[test]
fn origins_are_taken_as_browsers_write_them() {
    let settings = parse(
        r#"
        [console]
        origins = ["https://shop.example", "http://localhost:8090", "http://[::1]:90", "https://xn--bcher-kva.example"]
    "#,
    );
    let origins = settings.unwrap().origins;
    assert_eq!(origins[..2], ["https://shop.example", "http://localhost:8090"]);
    assert_eq!(origins.len(), 4);
    assert!(parse("").unwrap().origins.is_empty());
}

#[test]
fn what_is_no_single_origin_is_refused_and_not_repeated() {
    for wrong in [
        "*",
        "null",
        "",
        "shop.example",
        "https://*.example",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example:443",
        "https://SHOP.example",
        "https://bücher.example",
        "https://user:hunter2@shop.example",
        "file:///page.html",
        "ws://shop.example",
    ] {
        let error = errors(&format!("[console]\norigins = [\"https://a.example\", {wrong:?}]"));
        let told = "line 2: console.origins[1]: this text is not an origin; write it as browsers do";
        assert!(error.contains(told), "{wrong:?}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(
        errors("[console]\norigins = \"https://a.example\"").contains("console.origins: this is not a list")
    );
}
