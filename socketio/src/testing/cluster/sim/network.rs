//! [`Network`]: the state of the simulated network, without tasks and clock.

use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::time::Instant;

use super::super::OwnedTopic;
use super::event::{Answer, Command, Effect, Event, EventKind, MemberId, Report};
use super::log::Log;
use super::member::{Link, Member};
use super::rng::Rng;
use super::stats::SimStats;
use crate::cluster::{EngineTraits, GapReason, PublishError, Topic};

/// The delay of each way unless the test sets another.
const DEFAULT_DELAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_millis(1);

/// The greatest number of entries that are read at a time.
const LARGEST_PAGE: usize = 64;

/// The wait before the first attempt to connect again. It doubles with each that fails.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Network {
    pub(super) rng: Rng,
    pub(super) delay: RangeInclusive<Duration>,
    pub(super) is_up: bool,
    pub(super) drop: f64,
    pub(super) duplicate: f64,
    pub(super) fail_publish: f64,
    pub(super) reorder_topics: bool,
    /// The number of servers that is told, instead of the true one.
    pub(super) count: Option<usize>,
    /// The names of servers that do not receive from each other, in both orders.
    pub(super) partitions: BTreeSet<(String, String)>,
    pub(super) members: Vec<Member>,
    pub(super) log: Log,
    /// By time. Events of the same time happen in the order in which they were added.
    events: BTreeMap<(Instant, u64), Event>,
    added: u64,
    pub(super) stats: SimStats,
    /// What engines report as soon as possible.
    reports: Vec<Effect>,
}

/// What the driver does next.
#[derive(Debug)]
pub(super) enum Step {
    /// Calls an engine's hub.
    Run(Effect),
    /// Continues at once.
    Continue,
    /// Waits until there are new events, or until this time.
    Wait(Option<Instant>),
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            delay: DEFAULT_DELAY,
            is_up: true,
            drop: 0.0,
            duplicate: 0.0,
            fail_publish: 0.0,
            reorder_topics: false,
            count: None,
            partitions: BTreeSet::new(),
            members: Vec::new(),
            log: Log::new(),
            events: BTreeMap::new(),
            added: 0,
            stats: SimStats::default(),
            reports: Vec::new(),
        }
    }

    pub(super) fn stats(&self) -> SimStats {
        self.stats
    }

    pub(super) fn add_member(&mut self, name: &str, traits: EngineTraits) -> MemberId {
        self.members.push(Member::new(name, traits));
        self.members.len() - 1
    }

    /// Lets the next event happen, if it is time.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        if !self.reports.is_empty() {
            return Step::Run(self.reports.remove(0));
        }
        let Some(next) = self.events.first_entry() else { return Step::Wait(None) };
        let (at, _) = *next.key();
        if at > now {
            return Step::Wait(Some(at));
        }
        let event = next.remove();
        self.happen(event, now).map_or(Step::Continue, Step::Run)
    }

    fn add(&mut self, at: Instant, member: MemberId, kind: EventKind) {
        let connection = self.members[member].connection;
        self.add_event(at, Event { member, connection, kind });
    }

    pub(super) fn add_event(&mut self, at: Instant, event: Event) {
        self.added += 1;
        self.events.insert((at, self.added), event);
    }

    /// Sends a command from an engine to the network.
    pub(super) fn send(&mut self, member: MemberId, command: Command, now: Instant) {
        let delay = self.rng.duration(&self.delay);
        let at = self.members[member].upward.next(None, now, delay);
        self.add(at, member, EventKind::Command(command));
    }

    /// Sends from the network to an engine.
    pub(super) fn send_down(&mut self, member: MemberId, order: Option<OwnedTopic>, kind: EventKind, now: Instant) {
        let receiver = &mut self.members[member];
        let is_message = matches!(kind, EventKind::Deliver { .. } | EventKind::Entry(_));
        let slowness = if is_message { receiver.slowness } else { Duration::ZERO };
        let delay = self.rng.duration(&self.delay) + slowness;
        let order = order.filter(|_| self.reorder_topics);
        let at = receiver.downward.next(order, now, delay);
        self.add(at, member, kind);
    }

    fn happen(&mut self, event: Event, now: Instant) -> Option<Effect> {
        let Event { member, connection, kind } = event;
        let receiver = &mut self.members[member];
        if receiver.connection != connection {
            self.lose(kind);
            return None;
        }
        if receiver.is_hung && !matches!(kind, EventKind::Attempt | EventKind::Lost(_)) {
            receiver.held.push(Event { member, connection, kind });
            return None;
        }
        let report = match kind {
            EventKind::Attempt => self.attempt(member, now)?,
            EventKind::Command(command) => {
                self.obey(member, command, now);
                return None;
            }
            EventKind::Answer(answer) => self.answered(member, answer)?,
            EventKind::Deliver { topic, body } => {
                self.stats.waiting -= 1;
                self.stats.delivered += 1;
                Report::Deliver { topic, body }
            }
            EventKind::Entry(entry) => {
                self.stats.read += 1;
                self.advance(member, entry.offset);
                Report::Entry(entry)
            }
            EventKind::Gap { position } => {
                self.advance(member, position);
                Report::Gap(GapReason::Trimmed)
            }
            EventKind::Lost(reason) => {
                self.attempt_later(member, now);
                Report::Disconnected(reason)
            }
        };
        let inbox = self.members[member].inbox.clone()?;
        Some(Effect { inbox, report })
    }

    /// Counts what ended with its connection. Whoever waits for an answer learns it because the
    /// sender is dropped.
    fn lose(&mut self, kind: EventKind) {
        match kind {
            EventKind::Deliver { .. } => {
                self.stats.waiting -= 1;
                self.stats.lost += 1;
            }
            EventKind::Command(Command::Publish { messages, .. }) => self.stats.unpublished += messages.len() as u64,
            _ => {}
        }
    }

    fn attempt(&mut self, id: MemberId, now: Instant) -> Option<Report> {
        let member = &mut self.members[id];
        member.inbox.as_ref()?;
        if !self.is_up || member.is_hung || member.is_isolated {
            member.failed_attempts += 1;
            self.attempt_later(id, now);
            return Some(Report::Disconnected("the connection was refused".to_owned()));
        }
        member.link = Link::Connecting;
        let command = Command::Connect { wanted: member.wanted.clone(), number: member.asked };
        self.send(id, command, now);
        None
    }

    pub(super) fn attempt_later(&mut self, id: MemberId, now: Instant) {
        let failed = self.members[id].failed_attempts.min(16);
        let longest = FIRST_BACKOFF.saturating_mul(1 << failed).min(LONGEST_BACKOFF);
        let backoff = self.rng.duration(&(longest / 2..=longest));
        self.add(now + backoff, id, EventKind::Attempt);
    }

    /// Connects a new engine.
    pub(super) fn attempt_now(&mut self, id: MemberId, now: Instant) {
        self.add(now, id, EventKind::Attempt);
    }

    /// The network carries out a command.
    fn obey(&mut self, id: MemberId, command: Command, now: Instant) {
        let member = &mut self.members[id];
        let answer = match command {
            Command::Connect { wanted, number } => {
                member.subscribed = wanted;
                self.send_down(id, None, EventKind::Answer(Answer::Connected { number }), now);
                return self.begin_reading(id, now);
            }
            Command::Subscribe { topic, number } => {
                member.subscribed.insert(topic);
                Answer::Confirmed { number }
            }
            Command::Unsubscribe { topic, number } => {
                member.subscribed.remove(&topic);
                Answer::Confirmed { number }
            }
            Command::Publish { messages, answer } => Answer::Published(answer, self.publish(id, messages, now)),
            Command::Count { namespace, answer } => {
                let counted = self.members.iter().filter(|member| member.is_counted(&namespace)).count();
                Answer::Counted(answer, self.count.unwrap_or(counted))
            }
            Command::TakeSession { token, answer } => {
                let session = self.log.take_session(&token, now);
                Answer::TookSession(answer, (session, self.log.last()))
            }
            Command::Read { range, answer } => {
                // Few, so that tests read several pages.
                let most = 1 + self.rng.below(LARGEST_PAGE);
                Answer::HasRead(answer, self.log.read(&range, most))
            }
        };
        self.send_down(id, None, EventKind::Answer(answer), now);
    }

    fn answered(&mut self, id: MemberId, answer: Answer) -> Option<Report> {
        let member = &mut self.members[id];
        match answer {
            Answer::Connected { number } => {
                member.confirmed = member.confirmed.max(number);
                member.failed_attempts = 0;
                member.link = Link::Up;
                return Some(Report::Connected);
            }
            Answer::Confirmed { number } => member.confirmed = member.confirmed.max(number),
            // The hub may have stopped waiting.
            Answer::Published(answer, result) => drop(answer.send(result)),
            Answer::Counted(answer, count) => drop(answer.send(count)),
            Answer::TookSession(answer, session) => drop(answer.send(session)),
            Answer::HasRead(answer, entries) => drop(answer.send(entries)),
        }
        None
    }

    fn publish(
        &mut self,
        from: MemberId,
        messages: Vec<(OwnedTopic, Bytes)>,
        now: Instant,
    ) -> Result<(), PublishError> {
        let total = messages.len();
        let fails = self.rng.chance(self.fail_publish);
        let carried = if fails { self.rng.below(total + 1) } else { total };
        self.stats.unpublished += (total - carried) as u64;
        for (topic, body) in messages.into_iter().take(carried) {
            self.route(Some(from), &topic, &body, now);
        }
        match fails {
            true => Err(PublishError { unpublished: total, reason: "it is unknown what was published".to_owned() }),
            false => Ok(()),
        }
    }

    /// Sends a message to all engines that subscribe to its topic. Entries of the log go to all
    /// that read it.
    pub(super) fn route(&mut self, from: Option<MemberId>, topic: &OwnedTopic, body: &Bytes, now: Instant) {
        self.stats.published += 1;
        match topic.get() {
            Topic::Log { namespace, server, kind } => return self.append(namespace, server, kind, body, now),
            Topic::Session { token, .. } => return self.log.store_session(token, body.clone(), now),
            _ => {}
        }
        for to in 0..self.members.len() {
            if !self.members[to].receives(topic) {
                continue;
            }
            self.stats.routed += 1;
            // The messages to itself are those by which a server finds that it is connected.
            let is_own = from == Some(to);
            if !is_own && (from.is_some_and(|from| self.is_parted(from, to)) || self.rng.chance(self.drop)) {
                self.stats.dropped += 1;
                continue;
            }
            let copies = if !is_own && self.rng.chance(self.duplicate) { 2 } else { 1 };
            self.stats.duplicated += copies - 1;
            for _ in 0..copies {
                self.stats.waiting += 1;
                let deliver = EventKind::Deliver { topic: topic.clone(), body: body.clone() };
                self.send_down(to, Some(topic.clone()), deliver, now);
            }
        }
    }

    fn is_parted(&self, from: MemberId, to: MemberId) -> bool {
        let name = |member: MemberId| self.members[member].name.to_string();
        !self.partitions.is_empty() && self.partitions.contains(&(name(from), name(to)))
    }

    /// Ends the connection of an engine. The network does not notice the end of a connection that
    /// hangs, and goes on counting the server.
    pub(super) fn disconnect(&mut self, id: MemberId) {
        let member = &mut self.members[id];
        member.connection += 1;
        member.link = Link::Down;
        member.upward.clear();
        member.downward.clear();
        member.is_reading = false;
        if !member.is_hung {
            member.subscribed.clear();
        }
        for event in std::mem::take(&mut member.held) {
            self.lose(event.kind);
        }
    }

    /// Ends the connection of an engine, which finds out and connects again.
    pub(super) fn cut(&mut self, id: MemberId, reason: &str, now: Instant) {
        if self.members[id].inbox.is_none() || self.members[id].link == Link::Down {
            return;
        }
        self.disconnect(id);
        let delay = self.rng.duration(&self.delay);
        self.add(now + delay, id, EventKind::Lost(reason.to_owned()));
    }

    /// Lets an engine report something now.
    pub(super) fn report(&mut self, id: MemberId, report: Report) {
        if let Some(inbox) = self.members[id].inbox.clone() {
            self.reports.push(Effect { inbox, report });
        }
    }

    /// The engines with this name.
    pub(super) fn named(&self, name: &str) -> Vec<MemberId> {
        (0..self.members.len()).filter(|id| *self.members[*id].name == *name).collect()
    }
}
