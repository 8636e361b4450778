//! The Lab's API: the knobs of the sample upstreams.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use rad_model::{Knobs, KnobsPatch, LabState};
use serde::Deserialize;
use serde_json::json;

use super::Console;
use super::audit::{Deed, alone};
use super::error::{ApiError, parse};
use super::take::{Body, Name};
use crate::sample::Lab;

type Answer = Result<Json<LabState>, ApiError>;

fn lab(console: &Console) -> Result<&Lab, ApiError> {
    console.lab.as_ref().ok_or_else(|| {
        ApiError::not_found(
            "the sample upstreams do not run; a [sample] table in the configuration starts them",
        )
    })
}

pub async fn state(State(console): State<Arc<Console>>) -> Answer {
    Ok(Json(lab(&console)?.state()))
}

pub async fn turn(
    State(console): State<Arc<Console>>,
    Name(upstream): Name,
    deed: Deed,
    Body(body): Body,
) -> Answer {
    lab(&console)?;
    if !["legacy", "candidate"].contains(&upstream.as_str()) {
        let detail = format!("no sample upstream is named {upstream:?}: legacy and candidate are");
        return Err(ApiError::not_found(detail));
    }
    let patch: KnobsPatch = parse(&body)?;
    alone(console, move |console| {
        let lab = lab(console)?;
        let (side, knobs): (_, fn(LabState) -> Knobs) = match upstream.as_str() {
            "legacy" => (&lab.legacy, |state| state.legacy),
            _ => (&lab.candidate, |state| state.candidate),
        };
        let before = knobs(lab.state());
        lab.turn(side, patch).map_err(|error| ApiError::bad_request(error.to_string()))?;
        let state = lab.state();
        let after = knobs(state);
        if before != after {
            let change = (json!(before), json!(after));
            console.record(&deed.entry(("lab.knobs", &upstream), change, &deed.said(""), None))?;
        }
        Ok(Json(state))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    requests_per_second: u32,
}

pub async fn traffic(State(console): State<Arc<Console>>, deed: Deed, Body(body): Body) -> Answer {
    lab(&console)?;
    let Rate { requests_per_second } = parse(&body)?;
    alone(console, move |console| {
        let lab = lab(console)?;
        let before = lab.state().requests_per_second;
        lab.set_rate(requests_per_second).map_err(|error| ApiError::bad_request(error.to_string()))?;
        if before != requests_per_second {
            let rate = |rate: u32| json!({"requests_per_second": rate});
            let change = (rate(before), rate(requests_per_second));
            console.record(&deed.entry(("lab.traffic", "traffic"), change, &deed.said(""), None))?;
        }
        Ok(Json(lab.state()))
    })
    .await
}
