//! A client of Redis that reads one reply after the other, and pushes in between (RESP3).

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use switchboard_runtime::redis::Reply;

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    /// Channel and payload.
    pub(crate) pushes: VecDeque<(Vec<u8>, Vec<u8>)>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self {
            stream: BufReader::new(stream),
            pushes: VecDeque::new(),
        };
        client.call(&["HELLO", "3"]);
        client
    }

    /// Sends a request and returns the reply.
    pub(crate) fn call<T: AsRef<[u8]>>(&mut self, arguments: &[T]) -> Reply {
        self.send(&mut vec![], arguments);
        self.reply()
    }

    /// Sends two requests in one write and returns both replies.
    pub(crate) fn call_both<T, U>(&mut self, first: &[T], second: &[U]) -> (Reply, Reply)
    where
        T: AsRef<[u8]>,
        U: AsRef<[u8]>,
    {
        let mut bytes = Vec::new();
        write_request(&mut bytes, first);
        self.send(&mut bytes, second);
        (self.reply(), self.reply())
    }

    fn send<T: AsRef<[u8]>>(&mut self, before: &mut Vec<u8>, arguments: &[T]) {
        write_request(before, arguments);
        self.stream.get_mut().write_all(before).unwrap();
    }

    fn reply(&mut self) -> Reply {
        loop {
            match self.read() {
                Incoming::Reply(reply) => return reply,
                Incoming::Push(push) => self.keep(&push),
            }
        }
    }

    fn keep(&mut self, push: &[Reply]) {
        if let [
            Reply::Text(kind),
            Reply::Text(channel),
            Reply::Text(payload),
        ] = push
            && kind == b"message"
        {
            self.pushes.push_back((channel.clone(), payload.clone()));
        }
    }

    /// Subscribes or unsubscribes; the confirmation is a push.
    pub(crate) fn subscription(&mut self, request: &str, channel: &str) {
        self.send(&mut vec![], &[request, channel]);
        loop {
            match self.read() {
                Incoming::Push(push) if push[0] != Reply::Text(b"message".to_vec()) => return,
                Incoming::Push(push) => self.keep(&push),
                Incoming::Reply(reply) => panic!("{reply:?} in place of a confirmation"),
            }
        }
    }

    fn read(&mut self) -> Incoming {
        let line = self.line();
        let (kind, rest) = line.split_at(1);
        let count = || rest.parse::<i64>().unwrap();
        Incoming::Reply(match kind {
            "+" => Reply::Text(rest.as_bytes().to_vec()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(count()),
            "_" => Reply::Nil,
            "$" | "*" if count() < 0 => Reply::Nil,
            "$" => {
                let mut bytes = vec![0; count() as usize + 2];
                self.stream.read_exact(&mut bytes).unwrap();
                bytes.truncate(bytes.len() - 2);
                Reply::Text(bytes)
            }
            "*" => Reply::List(self.elements(count())),
            "%" => Reply::List(self.elements(2 * count())),
            ">" => return Incoming::Push(self.elements(count())),
            _ => panic!("unknown reply {line:?}"),
        })
    }

    fn elements(&mut self, count: i64) -> Vec<Reply> {
        (0..count)
            .map(|_| match self.read() {
                Incoming::Reply(reply) => reply,
                Incoming::Push(push) => panic!("{push:?} within a reply"),
            })
            .collect()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.ends_with("\r\n"), "the server has gone: {line:?}");
        line.truncate(line.len() - 2);
        line
    }
}

enum Incoming {
    Reply(Reply),
    Push(Vec<Reply>),
}

fn write_request<T: AsRef<[u8]>>(into: &mut Vec<u8>, arguments: &[T]) {
    write!(into, "*{}\r\n", arguments.len()).unwrap();
    for argument in arguments {
        let argument = argument.as_ref();
        write!(into, "${}\r\n", argument.len()).unwrap();
        into.extend_from_slice(argument);
        into.extend_from_slice(b"\r\n");
    }
}
