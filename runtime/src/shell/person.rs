//! The person at the terminal: lines in, one at a time. Without a terminal a question has no answer, and that means no.

use std::io::{BufRead, IsTerminal, stdin};
use std::thread;
use tokio::sync::mpsc;

/// Lines that the person types or a file gives.
#[derive(Debug)]
pub struct Person {
    lines: Option<mpsc::UnboundedReceiver<Result<String, String>>>,
    talks: bool,
}

impl Person {
    /// Nothing is read until it is asked for.
    pub fn new() -> Person {
        Person {
            lines: None,
            talks: stdin().is_terminal(),
        }
    }

    /// Whether there is a terminal to ask.
    pub fn talks(&self) -> bool {
        self.talks
    }

    /// The next line; `None` at the end. An error is a line that is not UTF-8.
    pub async fn line(&mut self) -> Option<Result<String, String>> {
        let lines = self.lines.get_or_insert_with(|| {
            let (sender, lines) = mpsc::unbounded_channel();
            thread::spawn(move || {
                for line in stdin().lock().split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8(line).map_err(|_| "this line is not UTF-8".to_owned());
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
            lines
        });
        lines.recv().await
    }
}
