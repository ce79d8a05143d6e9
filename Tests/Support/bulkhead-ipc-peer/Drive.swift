import ArgumentParser
import BulkheadIPC
import Foundation
import NIOCore

/// Calls on command.
struct Drive: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the calls that standard input asks for, over one link, and print how each ended.",
        discussion: """
            A line of input is one JSON object: {"do": "unary" | "stream" | "cancel" | "snapshot", "id": …, …} with the fields of \
            `DriveOrder`. A line of output is {"id", "code", "reason", …} for a call that ended, or {"link", "at_ns"} when the \
            link changed. Ends with the input, or with SIGTERM at once: exit 0.
            """)

    @OptionGroup var to: LinkOptions

    func run() async throws {
        let driver = Driver(to.link(caller: "drive"), Echo.loop)
        let (stop, end) = (StopSignal.next(Echo.loop), Echo.loop.makePromise(of: Void.self))
        stop.whenComplete { _ in end.succeed() }
        Lines.say("ready")
        driver.link.onChange { Lines.say(LinkMoment($0)) }
        Lines.listen { line in
            Echo.loop.execute {
                guard let line else { return end.succeed() }
                driver.take(line)
            }
        }
        try await end.futureResult.get()
        await driver.link.close()
    }
}

/// Starts calls and knows those that run. `@unchecked Sendable`: touched on the event loop only.
final class Driver: @unchecked Sendable {
    let link: IPCLink
    private let eventLoop: any EventLoop
    private var running: [String: Task<Void, Never>] = [:]

    init(_ link: IPCLink, _ eventLoop: any EventLoop) {
        self.link = link
        self.eventLoop = eventLoop
    }

    func take(_ line: String) {
        do {
            let order = try JSONDecoder().decode(DriveOrder.self, from: Data(line.utf8))
            switch order.action {
            case .unary: for number in 0 ..< order.times { start(order, number) { await DriveCall.unary(order, $0, self.link) } }
            case .stream:
                for number in 0 ..< order.times { start(order, number) { await DriveCall.stream(order, $0, self.link) } }
            case .cancel: running[order.id]?.cancel()
            case .snapshot: Lines.say(LinkMoment(link.snapshot()))
            }
        } catch {
            Lines.say(DriveResult(id: "", code: "bad_order", message: "\(error)"))
        }
    }

    private func start(_ order: DriveOrder, _ number: Int, _ body: @escaping @Sendable (String) async -> DriveResult) {
        let id = order.times == 1 ? order.id : "\(order.id).\(number)"
        running[id] = Task(name: "call \(id)") {
            let result = await body(id)
            Lines.say(result)
            self.eventLoop.execute { self.running[id] = nil }
        }
    }
}
