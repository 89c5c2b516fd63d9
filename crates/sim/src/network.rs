use std::time::Duration;

use ackd_checker::Event;
use ackd_engine::Engine;
use tokio::time::sleep;

use crate::chance::Chance;
use crate::server::{Server, Up};

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Heard<T> {
    /// It was answered.
    Answer(T),
    /// There was nobody to take it: nothing has happened.
    Nobody,
    /// No answer came; whether it was taken, or will be, nobody knows.
    Nothing,
}

/// What the network between a client and the server does, as long as there are faults.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// The longest delay of a message, in milliseconds.
    pub(crate) delay: u64,
    /// How many of a thousand requests and answers are lost.
    pub(crate) loss: u64,
    /// How many of a thousand requests arrive once more.
    pub(crate) repeats: u64,
}

/// A client's way to the server.
#[derive(Clone)]
pub(crate) struct Network {
    server: Server,
    pub(crate) weather: Weather,
    pub(crate) chance: Chance,
    /// What was asked last arrives once more: that it was refused does not say that it will not happen.
    repeated: bool,
}

impl Network {
    pub(crate) fn new(server: Server, weather: Weather, chance: Chance) -> Network {
        Network { server, weather, chance, repeated: false }
    }

    /// What a refusal of what was asked last says.
    pub(crate) const fn refused(&self, request: u64) -> Event<u64> {
        if self.repeated { Event::Unknown { request } } else { Event::Refused { request } }
    }

    /// Waits for as long as a message takes.
    pub(crate) async fn travel(&mut self) {
        sleep(self.chance.millis(self.weather.delay)).await;
    }

    /// Whether a message is lost.
    pub(crate) fn loses(&mut self) -> bool {
        self.chance.permille(self.weather.loss)
    }

    /// The server, as a new connection finds it.
    pub(crate) fn connect(&self) -> Option<Up> {
        self.server.up()
    }

    /// Asks something. What is safe to `repeat` may arrive once more, later.
    pub(crate) async fn ask<T, F, A>(&mut self, repeat: bool, ask: A) -> Heard<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
        A: Fn(Engine) -> F + Clone + Send + 'static,
    {
        self.repeated = false;
        self.travel().await;
        if self.loses() {
            // Half of what is lost was only held up, until nobody waits for it any more.
            if self.chance.permille(500) {
                self.arrive_later(ask);
            }
            sleep(Duration::from_millis(500)).await;
            return Heard::Nothing;
        }
        self.repeated = repeat && self.chance.permille(self.weather.repeats);
        if self.repeated {
            self.arrive_later(ask.clone());
        }
        let Some(up) = self.connect() else { return Heard::Nobody };
        let answer = tokio::select! {
            biased;
            () = up.died() => return Heard::Nothing,
            answer = ask(up.engine.clone()) => answer,
        };
        if up.is_dead() || self.loses() {
            return Heard::Nothing;
        }
        self.travel().await;
        Heard::Answer(answer)
    }

    fn arrive_later<T, F, A>(&mut self, ask: A)
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
        A: Fn(Engine) -> F + Send + 'static,
    {
        let (server, delay) = (self.server.clone(), self.chance.millis(6_000));
        tokio::spawn(async move {
            sleep(delay).await;
            if let Some(up) = server.up() {
                // Nobody waits for the answer.
                drop(ask(up.engine).await);
            }
        });
    }
}
