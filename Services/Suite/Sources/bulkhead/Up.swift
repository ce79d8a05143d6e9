import ArgumentParser
import BulkheadAdminCLI
import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit
import Glibc
import NIOCore

/// `bulkhead up`.
struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Run the six services as child processes until Ctrl-C, restarting one that crashes.",
        discussion: "Example:\n  bulkhead up --config bulkhead.yaml --pids /tmp/pids.json")

    @OptionGroup var shared: SharedOptions
    @Option(help: "Keep a JSON map of service to pid in this file.") var pids: String?
    @Flag(help: "Also run the demo provider, and print a request to try. For a first look, never for a deployment.") var demo =
        false

    /// The order in which the services are ended: callers before those they call.
    private static let stopOrder: [ServiceName] = [.edge, .router, .retrieval, .session, .credentials, .telemetry]

    func run() async throws {
        let path = shared.configurationPath
        let programs = try Programs.locate()
        try await Self.check(path, programs)
        let listen = try SuiteFacts.listen(path)
        let relay = LogRelay()
        var children = Self.stopOrder.map { ($0.rawValue, programs.path($0.executable), ["serve", "--config", path]) }
        if demo { children.append(("demo", programs.path("bulkhead-demo-provider"), ["--listen", SuiteFacts.demo(path)])) }
        let supervisor = Supervisor(programs: children, pidsFile: pids, relay: relay, eventLoop: ProcessRuntime.eventLoop)
        StopSignals.listen(stop: { _ in supervisor.requestStop() }, reload: {})
        do {
            try supervisor.start()
        } catch {
            relay.say("\(error)")
            supervisor.requestStop(failure: 1)
        }
        let announcing = Task { await announce(supervisor, relay, listen) }
        let code = await supervisor.wait()
        announcing.cancel()
        relay.say(code == 0 ? "draining" : "stopping")
        let killed = await supervisor.stop(grace: .seconds(30))
        if !killed.isEmpty { relay.say("had to kill: \(killed.joined(separator: ", "))") }
        relay.flush()
        throw ExitCode(code != 0 ? code : killed.isEmpty ? 0 : 1)
    }

    /// All problems of all sections, before anything is started.
    private static func check(_ path: String, _ programs: Programs) async throws {
        var problems: [ConfigProblem] = []
        for service in ServiceName.allCases {
            let found = try await programs.check(service, path)
            for problem in found where !problems.contains(problem) { problems.append(problem) }
        }
        guard !problems.isEmpty else { return }
        for problem in problems.sorted(by: { $0.line < $1.line }) { complain("\(problem)") }
        throw ExitCodes.configuration
    }

    /// Says once that the suite is ready.
    private func announce(_ supervisor: Supervisor, _ relay: LogRelay, _ listen: HostPort) async {
        let loop = ProcessRuntime.eventLoop
        while !Task.isCancelled {
            if await Probe.isReady(listen) {
                supervisor.markReady()
                relay.say("ready on http://\(listen)")
                if demo { await welcome(relay, listen) }
                return
            }
            do { try await loop.sleep(.milliseconds(50)) } catch { return }
        }
    }

    private struct NewKey: Codable {
        var key: String
    }

    /// A key and a request that works. Session may come up a moment after the edge is ready.
    private func welcome(_ relay: LogRelay, _ listen: HostPort) async {
        var failure = "not tried"
        for attempt in 1 ... 50 {
            do {
                if attempt > 1 { try await ProcessRuntime.eventLoop.sleep(.milliseconds(200)) }
                let key = try await newKey()
                relay.say("try it:")
                relay.say(
                    "  curl http://\(listen)/v1/chat/completions -H 'Authorization: Bearer \(key)' -H 'Content-Type: application/json' "
                        + "-d '{\"model\":\"assistant\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'")
                return
            } catch is CancellationError {
                return
            } catch {
                failure = "\(error)"
            }
        }
        relay.say("no key could be made for a first request: \(failure)")
    }

    private func newKey() async throws -> String {
        let made = try await Programs.locate().output(
            "bulkhead-session",
            ["keys", "create", "--tenant", "demo", "--user", "you", "--json", "--config", shared.configurationPath],
            mergesErrors: true)
        // Anything but a key is why there is none: said once, when no further try helped.
        guard let key = try? AdminJSON.decode(NewKey.self, made).key else { throw StartupFailure(made) }
        return key
    }
}
