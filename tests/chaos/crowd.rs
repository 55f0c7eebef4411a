//! Thousands of sockets, each of whose clients writes down what it sees, and comes back when it is closed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use uuid::Uuid;

use super::history::{Duty, History, Seen};
use super::world::Place;

/// Of each location a step.
pub type StepsOf = BTreeMap<Uuid, u32>;

/// A handshake that takes longer has failed.
const HANDSHAKE: Duration = Duration::from_secs(20);

/// A connection on which nothing comes for so long, not even one of the pings, is dead.
pub const SILENCE: Duration = Duration::from_secs(15);

/// Between two messages of a client that reads slowly.
const SLOWLY: Duration = Duration::from_millis(500);

/// How fast a client reads while the crowd is told to be slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as ever, whatever the others do.
    Prompt,
    /// Two messages a second.
    Slow,
    /// Nothing at all.
    Silent,
    /// Nothing at all, also when it could again: to the end.
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Orders {
    /// Who can read slowly does.
    is_slow: bool,
    /// How often all have been told to break their connections off.
    dropped: usize,
    is_over: bool,
}

/// Open sockets.
pub struct Crowd {
    began: Timestamp,
    members: Vec<Arc<Member>>,
    tasks: JoinSet<()>,
    orders: watch::Sender<Orders>,
}

struct Member {
    number: usize,
    /// Where it opens its socket: at one of them, and after its end at the next.
    entrances: Arc<[SocketAddr]>,
    place: Place,
    pace: Pace,
    /// When the crowd gathered.
    began: Timestamp,
    is_open: AtomicBool,
    history: Mutex<History>,
}

impl Crowd {
    /// One without members.
    pub fn new() -> Self {
        Self {
            began: Timestamp::now(),
            members: Vec::new(),
            tasks: JoinSet::new(),
            orders: watch::Sender::new(Orders::default()),
        }
    }

    /// More members, whose sockets are opened from now on at one of the entrances, and their numbers. Those who
    /// come later ask for what changed since the crowd was begun.
    pub fn join(
        &mut self,
        places: Vec<Place>,
        pace: Pace,
        entrances: &[SocketAddr],
    ) -> Range<usize> {
        let first = self.members.len();
        for place in places {
            let mut history = History::new(place.name.clone(), place.scope.clone());
            if pace == Pace::Never {
                history.duty = Duty::Nothing;
            }
            let member = Arc::new(Member {
                number: self.members.len(),
                entrances: entrances.into(),
                began: self.began,
                pace,
                is_open: AtomicBool::new(false),
                history: Mutex::new(history),
                place,
            });
            self.members.push(Arc::clone(&member));
            let since = (first > 0).then_some(self.began);
            self.tasks
                .spawn(member.live(since, self.orders.subscribe()));
        }
        first..self.members.len()
    }

    /// From now on the right of these members is taken away. `told` is the step of each location's last report
    /// that they might be told of; not known yet while it is being taken away.
    pub fn shut_out(&self, members: Range<usize>, told: Option<StepsOf>) {
        let told = told.map(Arc::new);
        for member in &self.members[members] {
            member.history.lock().unwrap().duty = Duty::IsOut {
                told: told.clone(),
                may_stay: member.place.may_stay,
            };
        }
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// How many sockets are open, of those that are to be.
    pub fn open(&self) -> usize {
        let is_open = |it: &&Arc<Member>| {
            let is_out = matches!(it.history.lock().unwrap().duty, Duty::IsOut { .. });
            is_out || it.is_open.load(Ordering::SeqCst)
        };
        self.members.iter().filter(is_open).count()
    }

    /// How many connections have ended so far, by the close frame's code; of those that just ended by none.
    pub fn closes(&self) -> BTreeMap<Option<u16>, usize> {
        let mut closes = BTreeMap::new();
        for member in &self.members {
            for seen in &member.history.lock().unwrap().seen {
                if let Seen::Closed(code) = seen {
                    *closes.entry(*code).or_default() += 1;
                }
            }
        }
        closes
    }

    /// Tells those who can to read slowly, or to read on.
    pub fn be_slow(&self, is_slow: bool) {
        self.orders.send_modify(|orders| orders.is_slow = is_slow);
    }

    /// Breaks all connections off, and has everybody come back at once.
    pub fn storm(&self) {
        self.orders.send_modify(|orders| orders.dropped += 1);
    }

    /// Whether `holds` for what every member has seen so far.
    pub fn have_all_seen(&self, holds: impl Fn(&History) -> bool) -> bool {
        let mut members = self.members.iter();
        members.all(|member| holds(&member.history.lock().unwrap()))
    }

    /// Ends all sockets, and answers with what their clients saw.
    pub async fn end(mut self) -> Vec<History> {
        self.orders.send_modify(|orders| orders.is_over = true);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no panic");
        }
        let histories = self.members.iter().map(|it| it.history.lock().unwrap());
        histories.map(|history| history.clone()).collect()
    }
}

/// Why listening ended.
enum End {
    Closed(Option<u16>),
    /// Broken off by the client.
    Dropped,
    Over,
}

impl Member {
    async fn live(
        self: Arc<Self>,
        mut since: Option<Timestamp>,
        mut orders: watch::Receiver<Orders>,
    ) {
        let mut attempt = self.number;
        while !orders.borrow().is_over {
            let entrance = self.entrances[attempt % self.entrances.len()];
            attempt += 1;
            let opened = tokio::select! {
                opened = self.open(entrance, since) => opened,
                _ = orders.wait_for(|it| it.is_over) => return,
            };
            match opened {
                Ok(stream) => {
                    self.note(Seen::Opened);
                    self.is_open.store(true, Ordering::SeqCst);
                    let end = self.listen(stream, &mut orders).await;
                    self.is_open.store(false, Ordering::SeqCst);
                    // When it last heard all that was sent it cannot know: it asks for everything.
                    since = Some(self.began);
                    match end {
                        End::Closed(code) => self.note(Seen::Closed(code)),
                        End::Dropped => {
                            self.note(Seen::Closed(None));
                            continue;
                        }
                        End::Over => return,
                    }
                }
                Err(status) => {
                    let mut history = self.history.lock().unwrap();
                    *history.refused.entry(status).or_default() += 1;
                }
            }
            // Spread, as clients should be: a little more each, the same in every run.
            let pause = 300 + self.number * 7 % 700;
            sleep(Duration::from_millis(pause as u64)).await;
        }
    }

    /// Opens its socket; the status of the refusal (0: there was no answer) when it is not let in.
    async fn open(
        &self,
        entrance: SocketAddr,
        since: Option<Timestamp>,
    ) -> Result<WebSocketStream<TcpStream>, u16> {
        const NO_ANSWER: u16 = 0;
        let since = since.map(|since| format!("?since={since}"));
        let path = &self.place.path;
        let url = format!("ws://{entrance}{path}{}", since.unwrap_or_default());
        let mut request = url.into_client_request().expect("a valid URL");
        if let Some((name, value)) = self.place.credential.header() {
            let value = HeaderValue::from_str(&value).expect("a valid header");
            request.headers_mut().append(name, value);
        }
        let small = WebSocketConfig::default().read_buffer_size(2048);
        let opening = async {
            let socket = TcpSocket::new_v4().expect("a socket");
            if self.pace != Pace::Prompt {
                // Little is under way outside the server. With less than this TCP stands still for long between
                // a few bytes and a few more.
                socket
                    .set_recv_buffer_size(16_384)
                    .expect("a smaller buffer");
            }
            let tcp = socket.connect(entrance).await.map_err(Error::Io)?;
            tokio_tungstenite::client_async_with_config(request, tcp, Some(small)).await
        };
        match timeout(HANDSHAKE, opening).await {
            Ok(Ok((stream, _))) => Ok(stream),
            Ok(Err(Error::Http(response))) => Err(response.status().as_u16()),
            Ok(Err(_)) | Err(_) => Err(NO_ANSWER),
        }
    }

    /// Listens until the end.
    async fn listen(
        &self,
        mut stream: WebSocketStream<TcpStream>,
        orders: &mut watch::Receiver<Orders>,
    ) -> End {
        let dropped = orders.borrow().dropped;
        loop {
            let Orders { is_slow, .. } = *orders.borrow();
            if is_slow && matches!(self.pace, Pace::Silent | Pace::Never) {
                let reads_again = self.pace == Pace::Silent;
                let is_read = |it: &Orders| it.is_over || (reads_again && !it.is_slow);
                // A sender that is gone is an end, too.
                let now = orders.wait_for(is_read).await;
                if now.map_or(true, |it| it.is_over) {
                    return End::Over;
                }
            }
            let next = tokio::select! {
                biased;
                changed = orders.changed() => {
                    let now = *orders.borrow_and_update();
                    if changed.is_err() || now.is_over {
                        return End::Over;
                    }
                    if now.dropped > dropped {
                        return End::Dropped;
                    }
                    continue;
                }
                next = timeout(SILENCE, stream.next()) => next,
            };
            let Ok(Some(Ok(message))) = next else {
                return End::Closed(None);
            };
            match message {
                Message::Text(text) => self.note(Seen::of(&self.place.scope, &text)),
                Message::Close(frame) => return End::Closed(frame.map(|frame| frame.code.into())),
                Message::Binary(bytes) => self.note(Seen::Nonsense(format!("{bytes:?}"))),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
            if is_slow && self.pace == Pace::Slow {
                sleep(SLOWLY).await;
            }
        }
    }

    fn note(&self, seen: Seen) {
        self.history.lock().unwrap().seen.push(seen);
    }
}
