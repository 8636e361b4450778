//! The share that a variant has among those whom no rule matches.

use axum::Json;
use axum::extract::State;
use rad_model::Share;
use serde::Deserialize;
use serde_json::Value;

use super::{Change, told};
use crate::console::api::Shared;
use crate::console::audit::Deed;
use crate::console::error::{ApiError, parse};
use crate::console::take::{Body, Name};
use crate::rollout::flags::{Flag, Serve};
use crate::rollout::{Become, FlagRefused};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareOf {
    percent: Share,
    /// Of a boolean flag the one that is true, if absent.
    #[serde(default)]
    variant: Option<String>,
    /// The one that gives or takes; if absent the one for when the flag is off, or the other one.
    #[serde(default)]
    against: Option<String>,
    #[serde(default)]
    version: Option<u64>,
    #[serde(default)]
    reason: String,
}

/// Sets the share of a variant among those whom no rule matches.
pub async fn share(
    State(console): Shared,
    Name(key): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let ShareOf { percent, variant, against, version, reason } = parse(&body)?;
    let unknown = FlagRefused::Unknown(key.clone());
    let change = Change {
        key,
        expected: version,
        reason,
        action: "flag.share",
        what: format!("share set to {percent} %"),
    };
    change
        .make(&console, deed, move |before| {
            let flag = &before.ok_or(unknown)?.flag;
            let otherwise = shared(flag, percent, variant, against)?;
            Ok(match otherwise == flag.otherwise {
                true => Become::Same,
                false => Become::Flag(Box::new(Flag { otherwise, ..Flag::clone(flag) })),
            })
        })
        .await
}

fn shared(
    flag: &Flag,
    percent: Share,
    variant: Option<String>,
    against: Option<String>,
) -> Result<Serve, FlagRefused> {
    let impossible = |detail: String| Err(FlagRefused::Impossible(detail));
    let names = || flag.variants.keys().cloned().collect::<Vec<_>>().join(", ");
    let Some(variant) = variant.or_else(|| told::shown_variant(flag)) else {
        return impossible(format!("variant is missing: name one of {}", names()));
    };
    let other = || {
        let off = Some(&flag.off_variant).filter(|off| **off != variant);
        off.or_else(|| flag.variants.keys().find(|name| **name != variant)).cloned()
    };
    let Some(against) = against.or_else(other).filter(|against| *against != variant) else {
        return impossible("there is no other variant to share with".to_owned());
    };
    for name in [&variant, &against] {
        if !flag.variants.contains_key(name) {
            return impossible(format!("no variant is named {name:?}; known: {}", names()));
        }
    }
    flag.otherwise.shifted(&variant, percent, &against).map_or_else(
        || {
            let pool = [&variant, &against].map(|name| flag.otherwise.share(name).percent());
            let most = pool.iter().sum::<f64>();
            impossible(format!("{against} has too little: {variant} and {against} have {most} % together; name another in against"))
        },
        Ok,
    )
}
