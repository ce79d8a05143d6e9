import BulkheadIPC
import CFuzz
import Glibc

/// `bulkhead-fuzz --target=NAME [libFuzzer's arguments]` fuzzes; `bulkhead-fuzz --seeds=FOLDER` writes the seed corpus.
@main
enum Main {
    private static let usage =
        "usage: bulkhead-fuzz --target=\(targets.keys.sorted().joined(separator: "|")) [libFuzzer's arguments] | --seeds=FOLDER\n"

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
        "answers": { bytes, count in
            run {
                guard let told = try AnswerCheck.check(UnsafeBufferPointer(start: bytes, count: count)) else { return }
                try ShownCheck.check(told.outcome, of: told.answer)
            }
        },
        "json": { bytes, count in run { try JSONCheck.check(UnsafeBufferPointer(start: bytes, count: count)) } },
        "sse": { bytes, count in run { try StreamCheck.check(UnsafeBufferPointer(start: bytes, count: count)) } },
        "surfaces": { bytes, count in
            run {
                let chat = try SurfaceCheck.check(UnsafeBufferPointer(start: bytes, count: count))
                if let chat { try EncodingCheck.check(chat, count) }
            }
        },
    ]

    /// Stops over a finding.
    private static func run(_ check: () throws -> Void) -> Int32 {
        do { try check() } catch { found("\(error)") }
        return 0
    }

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
