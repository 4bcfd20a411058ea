//! From a reply to what became of the command.

use switchboard_core::cluster::{
    Answer, Appended, BrokerTime, Claim, Command, Done, Entry, Failure, Occupant, OccupantList,
    Peer, Reached, RoomPosition,
};

use super::reply::{Elements, Reply, digits_to_number};

/// Decodes the reply to a command. Additional elements of a list are ignored, so that later scripts can
/// add some.
///
/// # Errors
///
/// An error reply is decoded to the failure that it means. Anything else that is not a reply to this
/// command is [`Failure::Malformed`].
pub fn decode(command: &Command, reply: Reply) -> Done {
    match command {
        Command::Append(append) => decode_append(append.bodies.len(), reply),
        Command::Sync(_) => decode_sync(reply),
        Command::Presence(_) => decode_presence(reply),
        Command::Occupants(_) => decode_occupants(reply),
        Command::Position(_) => decode_position(reply),
        Command::Range(_) => match reply.list_if_any()? {
            None => Ok(Answer::Range(None)),
            Some(list) => Ok(Answer::Range(Some(entries(list)?))),
        },
        Command::Values(_) => match reply.list_if_any()? {
            None => Ok(Answer::Values(None)),
            Some(list) => Ok(Answer::Values(Some(values(list)?))),
        },
        Command::Seats(_) => decode_seats(reply),
        Command::Login(_) => decode_login(reply),
        Command::Logout(_) => decode_logout(reply),
        Command::Kick(_) => decode_kick(reply),
        Command::Lookup(_) => match reply.list_if_any()? {
            None => Ok(Answer::Lookup(None)),
            Some(list) => Ok(Answer::Lookup(Some(claims(list)?))),
        },
        Command::Direct(_) => Ok(Answer::Direct(reached(reply.list()?)?)),
        Command::Beat(_) => decode_beat(reply),
        Command::Retire(_) => Ok(Answer::Retire(reply.number()?)),
        Command::Notify { .. } => Ok(Answer::Notify(reply.number()?)),
        Command::Ping => match &reply.bytes()?[..] {
            b"PONG" => Ok(Answer::Ping),
            _ => Err(Failure::Malformed),
        },
    }
}

/// Separates what room.lua answers by itself.
fn of_room(reply: Reply) -> Result<Result<Elements, Answer>, Failure> {
    let mut list = reply.list()?;
    let word = list.take()?.bytes()?;
    if word == b"ok" {
        return Ok(Ok(list));
    }
    let (epoch, seq) = (list.take()?.text()?, list.take()?.number()?);
    let own = list.take()?.number_if_known()?;
    match (&word[..], own) {
        (b"stale", own) => Ok(Err(Answer::Stale { epoch, seq, own })),
        (b"order", Some(own)) => Ok(Err(Answer::OutOfOrder { epoch, seq, own })),
        _ => Err(Failure::Malformed),
    }
}

fn decode_append(bodies: usize, reply: Reply) -> Done {
    let mut list = match of_room(reply)? {
        Ok(list) => list,
        Err(answer) => return Ok(answer),
    };
    let epoch = list.take()?.text()?;
    let mut fates = Vec::with_capacity(bodies);
    for _ in 0..bodies {
        fates.push(match list.take()?.number_if_known()? {
            None => Appended::NotKept,
            Some(0) => Appended::Before,
            Some(number) => Appended::Numbered(number),
        });
    }
    Ok(Answer::Append { epoch, fates })
}

fn decode_sync(reply: Reply) -> Done {
    let mut list = match of_room(reply)? {
        Ok(list) => list,
        Err(answer) => return only_stale(answer),
    };
    Ok(Answer::Sync {
        epoch: list.take()?.text()?,
        seq: list.take()?.number()?,
        own: list.take()?.number()?,
        version: list.take()?.number()?,
        entries: entries(list.take()?.list()?)?,
    })
}

fn decode_presence(reply: Reply) -> Done {
    let mut list = match of_room(reply)? {
        Ok(list) => list,
        Err(answer) => return only_stale(answer),
    };
    Ok(Answer::Presence {
        epoch: list.take()?.text()?,
        version: list.take()?.number()?,
        changed: list.take()?.number()?,
    })
}

fn only_stale(answer: Answer) -> Done {
    match answer {
        Answer::Stale { .. } => Ok(answer),
        _ => Err(Failure::Malformed),
    }
}

fn decode_occupants(reply: Reply) -> Done {
    let Some(mut list) = reply.list_if_any()? else {
        return Ok(Answer::Occupants(None));
    };
    let (epoch, version) = (list.take()?.text()?, list.take()?.number()?);
    let mut users = Vec::new();
    let mut fields = list.take()?.list()?.rest();
    while let Some(field) = fields.next() {
        let value = fields.next().ok_or(Failure::Malformed)?.text()?;
        let field = field.text()?;
        let (registration, user) = field.split_once('\t').ok_or(Failure::Malformed)?;
        let (since, info) = value.split_once(' ').unwrap_or((&value, ""));
        users.push(Occupant {
            registration: registration.into(),
            user: user.into(),
            since: digits_to_number(since.as_bytes()).ok_or(Failure::Malformed)?,
            info: (!info.is_empty()).then(|| info.into()),
        });
    }
    Ok(Answer::Occupants(Some(OccupantList {
        epoch,
        version,
        users,
    })))
}

fn decode_position(reply: Reply) -> Done {
    let Some(mut list) = reply.list_if_any()? else {
        return Ok(Answer::Position(None));
    };
    Ok(Answer::Position(Some(RoomPosition {
        epoch: list.take()?.text()?,
        seq: list.take()?.number()?,
        version: list.take()?.number()?,
        users: list.take()?.number()?,
    })))
}

/// Separates `{'stale'}` from `{'ok', …}`.
fn of_session(reply: Reply) -> Result<Option<Elements>, Failure> {
    let mut list = reply.list()?;
    match &list.take()?.bytes()?[..] {
        b"ok" => Ok(Some(list)),
        b"stale" => Ok(None),
        _ => Err(Failure::Malformed),
    }
}

fn decode_seats(reply: Reply) -> Done {
    let Some(mut list) = of_session(reply)? else {
        return Ok(Answer::StaleSession);
    };
    Ok(Answer::Seats {
        granted: list.take()?.small_number()?,
        others: list.take()?.small_number()?,
        at: time(list.take()?)?,
    })
}

fn decode_login(reply: Reply) -> Done {
    let Some(mut list) = of_session(reply)? else {
        return Ok(Answer::StaleSession);
    };
    Ok(Answer::Login {
        stamp: time(list.take()?)?,
        at: time(list.take()?)?,
        put_out: claims(list.take()?.list()?)?,
    })
}

fn decode_logout(reply: Reply) -> Done {
    let Some(mut list) = of_session(reply)? else {
        return Ok(Answer::StaleSession);
    };
    match list.take()?.number()? {
        removed @ 0..=1 => Ok(Answer::Logout(removed == 1)),
        _ => Err(Failure::Malformed),
    }
}

fn decode_beat(reply: Reply) -> Done {
    let mut list = reply.list()?;
    let word = list.take()?.bytes()?;
    let at = time(list.take()?)?;
    match &word[..] {
        b"fenced" => return Ok(Answer::Fenced { at }),
        b"ok" => {}
        _ => return Err(Failure::Malformed),
    }
    let Some(listed) = list.rest().next() else {
        return Ok(Answer::Beat { at, peers: None });
    };
    let (mut peers, mut fields) = (Vec::new(), listed.list()?.rest());
    while let Some(registration) = fields.next() {
        peers.push(Peer {
            registration: registration.text()?,
            info: fields.next().ok_or(Failure::Malformed)?.text()?,
        });
    }
    let peers = Some(peers);
    Ok(Answer::Beat { at, peers })
}

fn claims(list: Elements) -> Result<Vec<Claim>, Failure> {
    list.rest()
        .map(|claim| {
            let mut claim = claim.list()?;
            Ok(Claim {
                registration: claim.take()?.text()?,
                connection: claim.take()?.text()?,
                stamp: time(claim.take()?)?,
            })
        })
        .collect()
}

fn decode_kick(reply: Reply) -> Done {
    let mut list = reply.list()?;
    Ok(Answer::Kick {
        at: time(list.take()?)?,
        reached: reached(list.take()?.list()?)?,
    })
}

fn reached(list: Elements) -> Result<Vec<Reached>, Failure> {
    list.rest()
        .map(|node| {
            let mut node = node.list()?;
            Ok(Reached {
                node: node.take()?.text()?,
                claims: node.take()?.small_number()?,
                receivers: node.take()?.number()?,
            })
        })
        .collect()
}

fn entries(list: Elements) -> Result<Vec<Entry>, Failure> {
    list.rest().map(entry).collect()
}

fn values(list: Elements) -> Result<Vec<Entry>, Failure> {
    list.rest().map(value).collect()
}

/// Reads the value of a key: `'7 node own ⏎ body'`.
fn value(reply: Reply) -> Result<Entry, Failure> {
    let bytes = reply.bytes()?;
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let (header, body) = bytes.split_at(end.ok_or(Failure::Malformed)?);
    let header = str::from_utf8(header).map_err(|_| Failure::Malformed)?;
    let (seq, origin) = header.split_once(' ').ok_or(Failure::Malformed)?;
    let (node, own) = origin.rsplit_once(' ').ok_or(Failure::Malformed)?;
    Ok(Entry {
        seq: digits_to_number(seq.as_bytes()).ok_or(Failure::Malformed)?,
        node: node.into(),
        own: digits_to_number(own.as_bytes()).ok_or(Failure::Malformed)?,
        body: body[1..].into(),
    })
}

/// Reads an entry of a stream: `{'7-0', {'o', 'node own', 'd', body}}`.
fn entry(reply: Reply) -> Result<Entry, Failure> {
    let mut list = reply.list()?;
    let id = list.take()?.text()?;
    let seq = id.strip_suffix("-0").ok_or(Failure::Malformed)?;
    let seq = digits_to_number(seq.as_bytes()).ok_or(Failure::Malformed)?;
    let mut fields = list.take()?.list()?.rest();
    let (mut origin, mut body) = (None, None);
    while let Some(field) = fields.next() {
        let value = fields.next().ok_or(Failure::Malformed)?;
        match &field.bytes()?[..] {
            b"o" => origin = Some(value.text()?),
            b"d" => body = Some(value.bytes()?),
            _ => {}
        }
    }
    let origin = origin.ok_or(Failure::Malformed)?;
    let (node, own) = origin.rsplit_once(' ').ok_or(Failure::Malformed)?;
    Ok(Entry {
        seq,
        node: node.into(),
        own: digits_to_number(own.as_bytes()).ok_or(Failure::Malformed)?,
        body: body.ok_or(Failure::Malformed)?.as_slice().into(),
    })
}

fn time(reply: Reply) -> Result<BrokerTime, Failure> {
    reply.number().map(BrokerTime)
}
