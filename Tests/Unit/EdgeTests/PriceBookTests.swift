import BulkheadCore
import EdgeService
import Synchronization
import Testing

@Suite("Prices")
struct PriceBookTests {
    /// A router with a clock.
    private final class World: Sendable {
        let now = Mutex(MonotonicTime(nanoseconds: 1_000_000_000_000))
        let asked = Mutex<[String]>([])
        let answers = Mutex<[String: Result<ModelPrice?, CallError>]>([:])

        func pass(_ duration: Duration) { now.withLock { $0 = $0 + duration } }

        func book(capacity: Int = 1000) -> PriceBook {
            PriceBook(capacity: capacity, clock: { self.now.withLock { $0 } }) { name, _ in
                self.asked.withLock { $0.append(name) }
                await Task.yield()
                return try self.answers.withLock { $0[name] ?? .success(nil) }.get()
            }
        }
    }

    private let price = ModelPrice(input: 1250, output: 10_000)

    @Test("A price is asked for once in five minutes, by one, also when there is none")
    func once() async {
        let world = World()
        world.answers.withLock { $0["gpt"] = .success(price) }
        let book = world.book()
        await withTaskGroup(of: ModelPrice?.self) { group in
            for _ in 0 ..< 20 { group.addTask { await book.price(of: "gpt") } }
            for await found in group { #expect(found == price) }
        }
        for _ in 0 ..< 2 { #expect(await book.price(of: "other") == nil) }
        #expect(world.asked.withLock { $0 } == ["gpt", "other"])
        world.pass(.seconds(301))
        #expect(await book.price(of: "gpt") == price)
        #expect(world.asked.withLock { $0.count } == 3)
    }

    @Test("What was known holds on while the router does not answer, which is asked again soon")
    func away() async {
        let world = World()
        world.answers.withLock { $0["gpt"] = .success(price) }
        let book = world.book()
        _ = await book.price(of: "gpt")
        world.answers.withLock { $0["gpt"] = .failure(CallError(.unavailable, message: "m")) }
        world.pass(.seconds(301))
        #expect(await book.price(of: "gpt") == price)
        _ = await book.price(of: "gpt")
        #expect(world.asked.withLock { $0.count } == 2)
        world.pass(.seconds(6))
        _ = await book.price(of: "gpt")
        #expect(world.asked.withLock { $0.count } == 3)
    }

    @Test("Names are bounded")
    func bound() async {
        let book = World().book(capacity: 20)
        for number in 0 ..< 100 { _ = await book.price(of: "m\(number)") }
        #expect(book.count <= 20)
    }

    @Test("The cost of more tokens than there are is as large as a number can be")
    func cost() {
        #expect(price.cost(input: 1000, output: 100) == 2_250_000)
        #expect(price.cost(input: .max, output: .max) == .max)
    }
}
