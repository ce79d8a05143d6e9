import BulkheadAPI
import BulkheadCore
import NIOCore
import Synchronization

// States of a flight: led (one caller asks, others wait) → over, when a leader brings an answer that may be shared. When the last
// leader fails, the callers that waited longest lead next: one, then two, four, … – not all at once, and not one by one behind a
// provider that takes a minute to fail. A leader whose caller left is followed by one.

/// Lets one of several equal requests ask, and gives its answer to the others. Failures are never shared.
package final class SingleFlight: Sendable {
    /// What one of the callers does.
    package enum Part: Sendable {
        /// Ask, and tell `end` what came of it.
        case leads(Flight)
        /// Wait for news.
        case follows(Follower)
        /// Too many wait already: ask, and tell nobody.
        case alone
    }

    /// How a leader's asking ended.
    package enum End: Sendable {
        case answer([ChatAPI.ChatEvent])
        /// There was an answer, but not for others.
        case notForOthers
        case failed
        /// The leader's caller went away.
        case left
    }

    /// What a follower hears.
    package enum News: Sendable {
        case answer([ChatAPI.ChatEvent])
        /// The leader failed: lead.
        case lead(Flight)
        /// Ask, and tell nobody.
        case alone
        /// Nothing yet.
        case none
    }

    /// One flight; only `SingleFlight` looks inside.
    package final class Flight: Sendable {
        fileprivate let key: CacheKey
        fileprivate init(_ key: CacheKey) { self.key = key }
    }

    fileprivate struct Course {
        let flight: Flight
        var leaders = 1
        var failures = 0
        var followers: [Follower] = []
    }

    /// Flights at one time, followers of one, and of all.
    package static let mostFlights = 8192
    package static let mostFollowers = 1024
    package static let mostFollowersOfAll = 8192

    private struct State {
        var courses: [CacheKey: Course] = [:]
        var followers = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Requests that wait for others now.
    package var waiting: Int { state.withLock { $0.followers } }

    /// Takes part in asking for `key`.
    package func join(_ key: CacheKey) -> Part {
        state.withLock { state in
            guard let course = state.courses[key] else {
                guard state.courses.count < Self.mostFlights else { return .alone }
                let flight = Flight(key)
                state.courses[key] = Course(flight: flight)
                return .leads(flight)
            }
            guard course.followers.count < Self.mostFollowers, state.followers < Self.mostFollowersOfAll else { return .alone }
            let follower = Follower(course.flight)
            state.courses[key]?.followers.append(follower)
            state.followers += 1
            return .follows(follower)
        }
    }

    /// A leader is done; said once by each.
    package func end(_ flight: Flight, _ end: End) {
        let (followers, news) = state.withLock { state -> (ArraySlice<Follower>, News) in
            guard var course = state.courses[flight.key], course.flight === flight else { return ([], .none) }
            let told: (Int, News) =
                switch end {
                case .answer(let events): (course.followers.count, .answer(events))
                case .notForOthers: (course.followers.count, .alone)
                case .failed, .left: (course.next(after: end), .lead(flight))
                }
            let followers = course.followers.prefix(told.0)
            course.followers.removeFirst(followers.count)
            state.followers -= followers.count
            if case .lead = told.1 { course.leaders += followers.count }
            state.courses[flight.key] = course.leaders == 0 || !told.1.keepsFlight ? nil : course
            return (followers, told.1)
        }
        for follower in followers where !follower.hear(news) {
            if case .lead(let flight) = news { self.end(flight, .left) }
        }
    }

    /// The follower waits no longer. What it was told and has not heard is passed on.
    package func leave(_ follower: Follower) {
        let flight = follower.flight
        state.withLock { state in
            guard var course = state.courses[flight.key], course.flight === flight,
                let index = course.followers.firstIndex(where: { $0 === follower })
            else { return }
            course.followers.remove(at: index)
            state.followers -= 1
            state.courses[flight.key] = course
        }
        if case .lead(let flight) = follower.leave() { end(flight, .left) }
    }
}

extension SingleFlight.Course {
    /// How many lead next. Others that lead already are waited for.
    fileprivate mutating func next(after end: SingleFlight.End) -> Int {
        leaders -= 1
        guard leaders == 0 else { return 0 }
        guard case .failed = end else { return 1 }
        failures += 1
        return 1 << min(failures - 1, 10)
    }
}

extension SingleFlight.News {
    fileprivate var keepsFlight: Bool { if case .lead = self { true } else { false } }
}

/// A request that waits for another's answer.
package final class Follower: Sendable {
    private struct State {
        var news = SingleFlight.News.none
        var hasLeft = false
        var isAwake = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    fileprivate let flight: SingleFlight.Flight
    private let state = Mutex(State())

    fileprivate init(_ flight: SingleFlight.Flight) { self.flight = flight }

    /// The news, once; `.none` when there are none within `limit`, or the task was cancelled.
    package func news(within limit: Duration, on eventLoop: any EventLoop) async -> SingleFlight.News {
        state.withLock { $0.isAwake = false }
        let timer = eventLoop.scheduleTask(in: TimeAmount(limit)) { self.wake() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    // The time may be over, or the task cancelled, before there is anybody to wake.
                    guard case .none = state.news, !state.isAwake else { return false }
                    state.waiter = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            wake()
        }
        timer.cancel()
        return takeNews()
    }

    /// - Returns: false when it has left, and will not hear.
    fileprivate func hear(_ news: SingleFlight.News) -> Bool {
        let hears = state.withLock { state in
            if !state.hasLeft { state.news = news }
            return !state.hasLeft
        }
        wake()
        return hears
    }

    /// Hears nothing from now on. - Returns: what it was told and had not heard.
    fileprivate func leave() -> SingleFlight.News {
        state.withLock { $0.hasLeft = true }
        return takeNews()
    }

    private func takeNews() -> SingleFlight.News {
        state.withLock { state in
            defer { state.news = .none }
            return state.news
        }
    }

    private func wake() {
        let waiter = state.withLock { state in
            state.isAwake = true
            return state.waiter.take()
        }
        waiter?.resume()
    }
}
