//! The way to a remote store. A request ends when nothing comes for too long, never because much has to be moved: a limit that is right for one part would cut slow links off
//! for ever, since a link that several parts share gives each a fraction. How much of a body has gone cannot be seen through `object_store`'s client, so bodies that are not
//! answered yet are given the time that all of them together take on the slowest link. Which requests are made, and how often, is not known here.

use crate::guard::Guard;
use async_trait::async_trait;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService, ReqwestConnector,
};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// The longest silence of a request, beside what bodies under way may take.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// Bytes a second of the slowest link that is of use.
const RATE_MIN: u64 = 10_000;

/// Connects to stores by lines of this kind. Clones share what they remember.
#[derive(Debug, Default, Clone)]
pub(crate) struct Connector {
    /// Who decides where requests may go; none for a store whose address the machine's operator named.
    guard: Option<Guard>,
    made: Arc<Mutex<Option<HttpClient>>>,
}

impl Connector {
    /// One whose requests go where this guard lets them.
    pub(crate) fn through(guard: Option<&Guard>) -> Self {
        Self {
            guard: guard.cloned(),
            made: Arc::default(),
        }
    }

    /// The client that was made last, for requests beside those of the store.
    pub(crate) fn client(&self) -> Option<HttpClient> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = match &self.guard {
            Some(guard) => guard.connect(options)?,
            None => ReqwestConnector::default().connect(options)?,
        };
        let client = HttpClient::new(Line::over(inner));
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }
}

/// All requests to one store.
#[derive(Debug)]
struct Line {
    inner: HttpClient,
    /// Bytes of the bodies of all requests that are not answered yet: they share the link.
    afloat: Arc<AtomicU64>,
}

impl Line {
    fn over(inner: HttpClient) -> Self {
        Self {
            inner,
            afloat: Arc::default(),
        }
    }
}

#[async_trait]
impl HttpService for Line {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let meter = Meter::new(Arc::clone(&self.afloat), request.body().content_length() as u64);
        let answer = tokio::select! {
            answer = self.inner.execute(request) => answer?,
            () = meter.silence() => return Err(silent()),
        };
        meter.heard();
        Ok(answer.map(|body| HttpResponseBody::new(Answer::new(body, meter))))
    }
}

fn silent() -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, Silent)
}

/// What ended the request.
#[derive(Debug, thiserror::Error)]
#[error("nothing has come from the store for too long")]
struct Silent;

/// Knows when something last came in one request.
#[derive(Debug)]
struct Meter {
    line: Arc<AtomicU64>,
    state: Mutex<Heard>,
}

#[derive(Debug)]
struct Heard {
    at: Instant,
    /// Bytes of this request's body, until it is answered.
    afloat: u64,
    /// The most bytes of all requests that were seen afloat since: those that have arrived meanwhile took their time too.
    ahead: u64,
}

impl Meter {
    fn new(line: Arc<AtomicU64>, afloat: u64) -> Self {
        let ahead = line.fetch_add(afloat, Ordering::Relaxed) + afloat;
        let state = Heard {
            at: Instant::now(),
            afloat,
            ahead,
        };
        Self {
            line,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, Heard> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has come, so all of the body has gone.
    fn heard(&self) {
        let mut state = self.state();
        let arrived = std::mem::take(&mut state.afloat);
        self.line.fetch_sub(arrived, Ordering::Relaxed);
        state.at = Instant::now();
        state.ahead = self.line.load(Ordering::Relaxed);
    }

    /// When the request has been silent for too long unless something comes.
    fn end(&self) -> Instant {
        let mut state = self.state();
        state.ahead = state.ahead.max(self.line.load(Ordering::Relaxed));
        state.at + SILENCE_MAX + Duration::from_secs(state.ahead / RATE_MIN)
    }

    /// Waits until nothing has come for too long.
    async fn silence(&self) {
        loop {
            let end = self.end();
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.heard();
    }
}

/// The body of an answer. It ends by an error when whoever reads it has waited for too long.
#[derive(Debug)]
struct Answer {
    body: HttpResponseBody,
    meter: Meter,
    timer: Pin<Box<Sleep>>,
    /// Whether its reader waits. Between two pieces it may do other things for as long as it likes.
    is_awaited: bool,
}

impl Answer {
    fn new(body: HttpResponseBody, meter: Meter) -> Self {
        Self {
            body,
            timer: Box::pin(sleep_until(meter.end())),
            meter,
            is_awaited: false,
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.is_awaited = false;
            return Poll::Ready(frame);
        }
        if !this.is_awaited {
            this.is_awaited = true;
            this.meter.heard();
            this.timer.as_mut().reset(this.meter.end());
        }
        loop {
            ready!(this.timer.as_mut().poll(context));
            let end = this.meter.end();
            if Instant::now() >= end {
                return Poll::Ready(Some(Err(silent())));
            }
            this.timer.as_mut().reset(end);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;
    use object_store::PutPayload;
    use object_store::client::HttpRequestBody;
    use std::collections::VecDeque;
    use tokio::time::sleep;

    const MIB: usize = 1 << 20;

    /// A store behind a link that its requests share, piece by piece.
    #[derive(Debug, Default)]
    struct Narrow(tokio::sync::Mutex<()>);

    #[async_trait]
    impl HttpService for Narrow {
        async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
            let pieces = request.body().content_length() as u64 / RATE_MIN;
            for _ in 0..pieces {
                let _link = self.0.lock().await;
                sleep(Duration::from_secs(1)).await;
            }
            Ok(HttpResponse::new(Bytes::new().into()))
        }
    }

    /// A store that takes everything, answers, and sends one byte after each of these pauses.
    #[derive(Debug)]
    struct Drips(Vec<Duration>);

    #[async_trait]
    impl HttpService for Drips {
        async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
            let body = Dripping {
                pauses: self.0.clone().into(),
                pause: None,
            };
            Ok(HttpResponse::new(HttpResponseBody::new(body)))
        }
    }

    struct Dripping {
        pauses: VecDeque<Duration>,
        pause: Option<Pin<Box<Sleep>>>,
    }

    impl Body for Dripping {
        type Data = Bytes;
        type Error = HttpError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
            if self.pause.is_none() {
                let Some(pause) = self.pauses.pop_front() else {
                    return Poll::Ready(None);
                };
                self.pause = Some(Box::pin(sleep(pause)));
            }
            ready!(self.pause.as_mut().unwrap().as_mut().poll(context));
            self.pause = None;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b".")))))
        }
    }

    /// A store that never answers.
    #[derive(Debug)]
    struct Mute;

    #[async_trait]
    impl HttpService for Mute {
        async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
            std::future::pending().await
        }
    }

    fn line(inner: impl HttpService) -> Line {
        Line::over(HttpClient::new(inner))
    }

    fn put(bytes: usize) -> HttpRequest {
        HttpRequest::new(PutPayload::from(vec![7; bytes]).into())
    }

    fn get() -> HttpRequest {
        HttpRequest::new(HttpRequestBody::empty())
    }

    #[tokio::test(start_paused = true)]
    async fn parts_that_share_a_slow_link_arrive_however_long_they_take() {
        let began = Instant::now();
        let line = line(Narrow::default());
        let answers = join_all((0..4).map(|_| line.call(put(8 * MIB)))).await;
        for answer in answers {
            answer.unwrap();
        }
        assert!(began.elapsed() > Duration::from_mins(55), "{:?}", began.elapsed());
        assert_eq!(line.afloat.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_takes_everything_and_says_nothing_is_given_up() {
        let (line, began) = (line(Mute), Instant::now());
        let error = line.call(put(1000)).await.unwrap_err();
        assert_eq!(error.kind(), HttpErrorKind::Timeout);
        assert!(began.elapsed() <= SILENCE_MAX + Duration::from_secs(1));
        // A body may take its time, and no more than that.
        let began = Instant::now();
        line.call(put(8 * MIB)).await.unwrap_err();
        let most = SILENCE_MAX + Duration::from_mins(14);
        assert!(began.elapsed() <= most, "{:?}", began.elapsed());
        assert_eq!(line.afloat.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_drip_for_hours_but_not_stop() {
        let second = Duration::from_secs(1);
        let answer = line(Drips(vec![50 * second; 300])).call(get()).await.unwrap();
        assert_eq!(answer.into_body().bytes().await.unwrap().len(), 300);
        let stops = vec![second, second, 3600 * second];
        let answer = line(Drips(stops)).call(get()).await.unwrap();
        let error = answer.into_body().bytes().await.unwrap_err();
        assert_eq!(error.kind(), HttpErrorKind::Timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_an_answer_may_take_its_time() {
        let answer = line(Drips(vec![Duration::from_secs(1); 3]))
            .call(get())
            .await
            .unwrap();
        let mut body = answer.into_body();
        let mut read = 0;
        while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
        {
            frame.unwrap();
            read += 1;
            sleep(Duration::from_hours(1)).await;
        }
        assert_eq!(read, 3);
    }
}
