//! The operator's connection to a server: one line in, the first line of the answer out.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

pub(crate) struct Control(BufReader<TcpStream>);

impl Control {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).expect("there")))
    }

    /// Sends a request, whose answer must have one line, and returns that.
    pub(crate) fn call(&mut self, words: &[&str]) -> String {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            let _ = write!(request, "${}\r\n{word}\r\n", word.len());
        }
        self.0
            .get_mut()
            .write_all(request.as_bytes())
            .expect("sent");
        let mut answer = String::new();
        self.0.read_line(&mut answer).expect("answered");
        answer.trim_end().to_owned()
    }

    /// Sends a request that must be answered by OK.
    pub(crate) fn ok(&mut self, words: &[&str]) {
        assert_eq!(self.call(words), "+OK", "{words:?}");
    }
}
