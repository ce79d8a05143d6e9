import BulkheadAPI
import BulkheadCore
import NIOPosix
import RouterService
import Testing

@Suite("Equal requests in flight") struct SingleFlightTests {
    private let flights = SingleFlight()
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    private func key(_ text: String = "a") throws -> CacheKey {
        try CacheKey(.init(model: text), alias: "m", partition: CachePartition(tenant: "t", user: "u"))
    }

    private func lead(_ key: CacheKey) throws -> SingleFlight.Flight {
        guard case .leads(let flight) = flights.join(key) else { throw Unexpected() }
        return flight
    }

    private func follow(_ key: CacheKey, count: Int) throws -> [Follower] {
        try (0 ..< count).map { _ in
            guard case .follows(let follower) = flights.join(key) else { throw Unexpected() }
            return follower
        }
    }

    private struct Unexpected: Error {}

    private enum Heard: Equatable { case answer, lead, alone, none }

    private func heard(_ followers: [Follower]) async -> [Heard] {
        var all: [Heard] = []
        for follower in followers {
            switch await follower.news(within: .zero, on: loop) {
            case .answer: all.append(.answer)
            case .lead: all.append(.lead)
            case .alone: all.append(.alone)
            case .none: all.append(.none)
            }
        }
        return all
    }

    @Test("the leader's answer is everybody's, and the next request leads again")
    func shares() async throws {
        let flight = try lead(key())
        let followers = try follow(key(), count: 3)
        flights.end(flight, .answer(answer("x")))
        #expect(await heard(followers) == [.answer, .answer, .answer])
        #expect(flights.waiting == 0)
        _ = try lead(key())
    }

    @Test("other keys have flights of their own")
    func apart() throws {
        _ = try lead(key("a"))
        _ = try lead(key("b"))
    }

    @Test("after failures one, two, four callers ask, and the first answer is everybody's")
    func ramp() async throws {
        let flight = try lead(key())
        let followers = try follow(key(), count: 9)
        flights.end(flight, .failed)
        #expect(await heard(followers).filter { $0 == .lead }.count == 1)
        flights.end(flight, .failed)
        #expect(await heard(Array(followers.dropFirst())).filter { $0 == .lead }.count == 2)
        flights.end(flight, .failed)
        #expect(await heard(followers).allSatisfy { $0 == .none })
        flights.end(flight, .failed)
        #expect(await heard(followers).filter { $0 == .lead }.count == 4)
        flights.end(flight, .answer(answer("x")))
        #expect(await heard(followers).filter { $0 == .answer }.count == 2)
        #expect(flights.waiting == 0)
    }

    @Test("a leader whose caller left says nothing about the provider: one takes over, each time")
    func leavers() async throws {
        let flight = try lead(key())
        let followers = try follow(key(), count: 3)
        for index in 0 ..< 3 {
            flights.end(flight, .left)
            #expect(await heard(followers).firstIndex(of: .lead) == index)
        }
        flights.end(flight, .left)
        _ = try lead(key())
    }

    @Test("an answer that is not for others lets all of them ask")
    func notForOthers() async throws {
        let flight = try lead(key())
        let followers = try follow(key(), count: 2)
        flights.end(flight, .notForOthers)
        #expect(await heard(followers) == [.alone, .alone])
    }

    @Test("who leaves is not waited for, and hands on what it was told")
    func leaving() async throws {
        let flight = try lead(key())
        let followers = try follow(key(), count: 3)
        flights.leave(followers[0])
        #expect(flights.waiting == 2)
        flights.end(flight, .failed)
        flights.leave(followers[1])
        #expect(await heard(followers) == [.none, .none, .lead])
    }

    @Test("a follower that left before it could hear does not stop the flight")
    func leftUnheard() throws {
        let flight = try lead(key())
        let follower = try follow(key(), count: 1)[0]
        flights.end(flight, .failed)
        flights.leave(follower)
        _ = try lead(key())
    }

    @Test("a late word of an old flight changes nothing in the new one")
    func oldFlight() async throws {
        let old = try lead(key())
        flights.end(old, .answer(answer("x")))
        _ = try lead(key())
        let followers = try follow(key(), count: 1)
        flights.end(old, .answer(answer("y")))
        #expect(await heard(followers) == [.none])
    }

    @Test("beyond the bound of waiting callers a request asks by itself")
    func bound() throws {
        _ = try lead(key())
        _ = try follow(key(), count: SingleFlight.mostFollowers)
        guard case .alone = flights.join(try key()) else {
            Issue.record("it should not wait")
            return
        }
    }
}
