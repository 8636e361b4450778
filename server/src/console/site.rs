//! Where the dashboard's files are: the WebAssembly, its loader, the styles.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use leptos::prelude::LeptosOptions;

/// The name that the build gives to the dashboard's files.
const OUTPUT: &str = "rad-monitor";
/// Where the build puts them within the site.
const PACKAGE: &str = "pkg";
/// The port on which `cargo leptos watch` tells pages to reload.
const RELOAD_PORT: u32 = 8_002;

/// The folder with the dashboard's files.
#[derive(Clone, Debug)]
pub struct Site {
    root: PathBuf,
}

impl Site {
    /// Looks beside the program, so that it runs from any folder: `site/` next to it, or one up, where the
    /// build leaves it. `LEPTOS_SITE_ROOT` names another place.
    #[must_use]
    pub fn locate() -> Self {
        let named = std::env::var_os("LEPTOS_SITE_ROOT").map(PathBuf::from);
        let program = std::env::current_exe().ok();
        let folder = program.as_deref().and_then(Path::parent);
        let beside = folder.into_iter().flat_map(|folder| [folder.join("site"), folder.join("../site")]);
        let root = named.into_iter().chain(beside).find(|root| root.join(PACKAGE).is_dir());
        Self { root: root.unwrap_or_else(|| PathBuf::from("site")) }
    }

    /// Whether the files are there. Without them pages are shown but do not move.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.root.join(PACKAGE).join(OUTPUT).with_extension("js").is_file()
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The options that Leptos needs, without any from the environment.
    #[must_use]
    pub fn options(&self) -> LeptosOptions {
        let root: Arc<str> = self.root.to_string_lossy().into();
        LeptosOptions::builder()
            .output_name(OUTPUT)
            .site_root(root)
            .site_pkg_dir(PACKAGE)
            .reload_port(RELOAD_PORT)
            .build()
    }
}
