//! Output that is for us and for nobody else.

use std::sync::{Arc, Mutex, PoisonError};

use super::output::Sink;

/// Most bytes that are kept. A larger output is as good as none.
const MOST: usize = 512 * 1024 * 1024;

/// What a child has written. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Kept(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    over: bool,
}

impl Kept {
    /// What takes a child's output in.
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.clone())
    }

    /// All that was written; `None` where that was too much.
    pub fn take(&self) -> Option<Vec<u8>> {
        let content = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (!content.over).then_some(content.bytes)
    }
}

impl Sink for Kept {
    fn chunk(&mut self, bytes: &[u8]) {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if content.over || content.bytes.len() + bytes.len() > MOST {
            *content = Content { bytes: Vec::new(), over: true };
        } else {
            content.bytes.extend_from_slice(bytes);
        }
    }

    fn end(&mut self) {}
}

/// Takes everything and keeps nothing.
#[derive(Debug, Clone, Copy)]
pub struct Nowhere;

impl Sink for Nowhere {
    fn chunk(&mut self, _: &[u8]) {}
    fn end(&mut self) {}
}
