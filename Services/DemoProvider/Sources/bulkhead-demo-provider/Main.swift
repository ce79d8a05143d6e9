import ArgumentParser
import Glibc
import NIOPosix

/// A stand-in LLM provider over real HTTP, with scripted faults. README.md is its manual page.
@main
struct Main: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead-demo-provider",
        abstract: "A stand-in LLM provider: OpenAI, Anthropic, Gemini and Bedrock over HTTP, with scripted faults.",
        discussion: "Example: bulkhead-demo-provider --listen 127.0.0.1:8901 --latency 20ms --tokens-per-second 50")

    @Option(help: "Where to listen; port 0 takes a free one.")
    var listen = ListenAddress(host: "127.0.0.1", port: 8901)

    @Option(help: "Time before each answer begins, for example 20ms or 1.5s.")
    var latency = Span.zero

    @Option(help: "Pace of streamed answers; without it an answer is sent at once.")
    var tokensPerSecond: Double?

    @Option(help: "Event loops, one thread each.")
    var loops = 1

    @Flag(help: "Print the address once connections are accepted.")
    var announce = false

    func validate() throws {
        if let tokensPerSecond, !(0.001 ... 1_000_000).contains(tokensPerSecond) {
            throw ValidationError("--tokens-per-second is \(tokensPerSecond); allowed are 0.001 to 1000000")
        }
        if !(1 ... 64).contains(loops) { throw ValidationError("--loops is \(loops); allowed are 1 to 64") }
    }

    func run() throws {
        // Blocked before the first thread starts: every thread inherits it, and only this one waits for them.
        let signals = StopSignals()
        signal(SIGPIPE, SIG_IGN)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let provider = Provider(latency: latency, tokensPerSecond: tokensPerSecond)
        let server = try DemoServer(provider: provider, group: group, address: listen)
        if announce { server.announce() }
        signals.wait()
        try server.close()
        try group.syncShutdownGracefully()
    }
}
