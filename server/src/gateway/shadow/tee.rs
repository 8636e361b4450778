//! Reads an answer along while it goes to the client: never more of it than is looked at, and without holding it up.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::rollout::shadow::Body;

/// The side that is given the parts as they pass. Dropped before the end, nothing comes out of it.
#[derive(Debug)]
pub struct Tee {
    /// None if there were too many.
    bytes: Option<Vec<u8>>,
    most: usize,
    whole: Option<oneshot::Sender<Body>>,
}

/// The side that waits for the whole, or for that it is too long; nothing if it was neither.
#[derive(Debug)]
pub struct Whole(oneshot::Receiver<Body>);

impl Tee {
    /// For so many bytes.
    pub fn new(most: usize) -> (Self, Whole) {
        let (whole, receiver) = oneshot::channel();
        (Self { bytes: Some(Vec::new()), most, whole: Some(whole) }, Whole(receiver))
    }

    /// A part passes.
    pub fn part(&mut self, part: &[u8]) {
        if let Some(bytes) = &mut self.bytes {
            // Copied: what is kept of a part would keep the whole buffer that it was read into.
            if bytes.len() + part.len() <= self.most {
                bytes.extend_from_slice(part);
            } else {
                self.bytes = None;
                self.tell(Body::TooLong);
            }
        }
    }

    /// It has passed to its end.
    pub fn end(mut self) {
        if let Some(bytes) = self.bytes.take() {
            self.tell(Body::Whole(bytes));
        }
    }

    fn tell(&mut self, body: Body) {
        if let Some(whole) = self.whole.take() {
            // Who waited may have given up.
            let _ = whole.send(body);
        }
    }
}

impl Future for Whole {
    type Output = Option<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Body>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_passes_is_there_at_its_end_and_not_more_than_is_looked_at() {
        for (parts, body) in [
            (&["ab", "cd"][..], Body::Whole(b"abcd".to_vec())),
            (&[], Body::Whole(Vec::new())),
            (&["ab", "cde", "f"], Body::TooLong),
        ] {
            let (mut tee, whole) = Tee::new(4);
            for part in parts {
                tee.part(part.as_bytes());
                assert!(tee.bytes.as_ref().is_none_or(|bytes| bytes.len() <= 4));
            }
            tee.end();
            assert_eq!(whole.await, Some(body));
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_given_up_never_is_whole() {
        let (mut tee, whole) = Tee::new(4);
        tee.part(b"ab");
        drop(tee);
        assert_eq!(whole.await, None);
    }
}
