//! The Lab's API: the knobs of the sample upstreams.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use rad_model::{KnobsPatch, LabState};
use serde::Deserialize;

use super::Console;
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

pub async fn turn(State(console): State<Arc<Console>>, Name(upstream): Name, Body(body): Body) -> Answer {
    let lab = lab(&console)?;
    let upstream = match upstream.as_str() {
        "legacy" => &lab.legacy,
        "candidate" => &lab.candidate,
        other => {
            let detail = format!("no sample upstream is named {other:?}: legacy and candidate are");
            return Err(ApiError::not_found(detail));
        }
    };
    let patch: KnobsPatch = parse(&body)?;
    lab.turn(upstream, patch).map_err(|error| ApiError::bad_request(error.to_string()))?;
    Ok(Json(lab.state()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rate {
    requests_per_second: u32,
}

pub async fn traffic(State(console): State<Arc<Console>>, Body(body): Body) -> Answer {
    let lab = lab(&console)?;
    let Rate { requests_per_second } = parse(&body)?;
    lab.set_rate(requests_per_second).map_err(|error| ApiError::bad_request(error.to_string()))?;
    Ok(Json(lab.state()))
}
