use super::{Behaviour, Program, Upstream, configuration};

/// The two upstreams of a rollout named `r`, with a configuration that leads everything to it.
pub struct Sides {
    pub legacy: Upstream,
    pub candidate: Upstream,
    configuration: String,
}

impl Sides {
    /// With keys of the rollout's table, and of those of both upstreams.
    pub async fn new(rollout: &str, upstreams: &str) -> Self {
        let legacy = Upstream::start("legacy", Behaviour::Echo).await;
        let candidate = Upstream::start("candidate", Behaviour::Echo).await;
        let configuration = configuration(&format!(
            "{}{}[rollouts.r]\nlegacy = \"old\"\ncandidate = \"new\"\n{rollout}\n\
             [[routes]]\npath = \"/\"\nrollout = \"r\"\nlimits = []",
            legacy.table("old", upstreams),
            candidate.table("new", upstreams)
        ));
        // Many clients at one address: who they are is what a trusted proxy says.
        let configuration =
            configuration.replace("workers = 2", "workers = 2\ntrusted_proxies = [\"127.0.0.0/8\"]");
        Self { legacy, candidate, configuration }
    }

    pub fn configuration(&self) -> &str {
        &self.configuration
    }

    pub fn start(&self) -> Program {
        Program::with_text(&self.configuration)
    }

    /// With these environment variables.
    pub fn start_with(&self, variables: &[(&str, &str)]) -> Program {
        Program::with_text_and(&self.configuration, variables)
    }
}
