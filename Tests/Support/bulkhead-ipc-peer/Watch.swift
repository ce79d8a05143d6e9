import ArgumentParser
import BulkheadCore
import BulkheadIPC
import NIOCore

/// A moment of a link, as `watch` and `drive` tell it.
struct LinkMoment: Encodable {
    let link: LinkSnapshot
    /// CLOCK_MONOTONIC.
    let atNS: UInt64

    enum CodingKeys: String, CodingKey {
        case link
        case atNS = "at_ns"
    }

    init(_ snapshot: LinkSnapshot) {
        link = snapshot
        atNS = MonotonicTime.now().nanoseconds
    }
}

/// Looks on.
struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Connect and print {link, at_ns} whenever the link's state, breaker or peer's health changes, until SIGTERM.")

    @OptionGroup var to: LinkOptions

    func run() async throws {
        let link = to.link(caller: "watch")
        let stop = StopSignal.next(Echo.loop)
        Lines.say("ready")
        link.onChange { Lines.say(LinkMoment($0)) }
        _ = try await stop.get()
        await link.close()
    }
}
