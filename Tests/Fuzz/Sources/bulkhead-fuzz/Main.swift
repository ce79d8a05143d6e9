import BulkheadIPC
import CFuzz
import Glibc

/// `bulkhead-fuzz --target=NAME [libFuzzer's arguments]` fuzzes; `bulkhead-fuzz --seeds=FOLDER` writes the seed corpus.
@main
enum Main {
    private static let usage =
        "usage: bulkhead-fuzz --target=frames|head|messages|server|client [libFuzzer's arguments] | --seeds=FOLDER\n"

    /// One check per target; libFuzzer takes a plain function.
    private static let targets: [String: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32] = [
        "frames": {
            FrameCheck.run(UnsafeBufferPointer(start: $0, count: $1)); return 0
        },
        "head": {
            HeadCheck.run(UnsafeBufferPointer(start: $0, count: $1)); return 0
        },
        "messages": {
            MessageCheck.run(UnsafeBufferPointer(start: $0, count: $1)); return 0
        },
        "server": {
            ServerCheck.run(UnsafeBufferPointer(start: $0, count: $1)); return 0
        },
        "client": {
            ClientCheck.run(UnsafeBufferPointer(start: $0, count: $1)); return 0
        },
    ]

    static func main() throws {
        if let folder = option("--seeds=") { return try Seeds.write(to: folder) }
        guard let name = option("--target="), let target = targets[name] else { return refuse() }
        exit(fuzz_drive(CommandLine.argc, CommandLine.unsafeArgv, target))
    }

    /// libFuzzer passes over what begins with two dashes, and hands it to the processes it starts.
    private static func option(_ name: String) -> String? {
        CommandLine.arguments.first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) }
    }

    private static func refuse() {
        _ = write(STDERR_FILENO, usage, usage.utf8.count)
        exit(64)
    }
}
