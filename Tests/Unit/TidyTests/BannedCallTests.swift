import Testing

/// Something that is not written here, why, and the places that may.
struct Ban: Sendable, CustomTestStringConvertible {
    let what: String
    let reason: String
    /// Path prefixes, each with the reason it may.
    var allowed: [String: String] = [:]
    var coversTests = false
    /// A word every line in question holds.
    let word: String
    let isIn: @Sendable (String) -> Bool

    var testDescription: String { what }
}

@Suite("What is not written here") struct BannedCallTests {
    static let bans: [Ban] = [
        Ban(what: "try!", reason: "an error is handled or passed on", coversTests: true, word: "try!") { $0.contains(/\btry!/) },
        Ban(what: "as!", reason: "a cast that may fail is a branch", coversTests: true, word: "as!") { $0.contains(/\bas!/) },
        Ban(
            what: "Task.detached", reason: "nobody would wait for it, cancel it or see it fail", word: "Task.detached"
        ) { $0.contains(/\bTask\.detached\b/) },
        Ban(
            what: "Task { }", reason: "work without an owner outlives its request; structured tasks or ServiceContext.background",
            allowed: [
                "Shared/IPC/": "one task a call is the boundary between frames and async handlers",
                "Shared/ServiceKit/ContextParts.swift": "background work: kept, cancelled and awaited there",
                "Shared/AdminCLI/ServiceMain.swift": "the first task of the process",
                "Services/Credentials/Sources/CredentialsService/OAuth/OAuthSession.swift":
                    "one fetch for all calls that wait for it: none of them may cancel it; it ends within seconds",
                "Services/Session/Sources/SessionService/Keys/KeyLookup.swift":
                    "one question for all admissions that wait for it: none of them may cancel it; it ends with the store's deadline",
                "Services/Edge/Sources/EdgeService/Identity/TokenKeys.swift":
                    "one load for all requests that wait for it: none of them may cancel it; it ends within seconds",
                "Services/Suite/Sources/bulkhead/Up.swift": "announces readiness while the supervisor waits; cancelled with it",
            ], word: "Task"
        ) { $0.contains(/\bTask(?:\.immediate)?\s*(?:<[^>]*>)?\s*(?:\([^)]*\)\s*)?\{/) },
        Ban(what: "Task.sleep", reason: "not on the event loop's clock: eventLoop.sleep", word: "Task.sleep") {
            $0.contains(/\bTask\.sleep\b/)
        },
        Ban(what: "Thread.sleep", reason: "blocks the only loop of the process", word: "Thread.sleep") {
            $0.contains(/\bThread\.sleep\b/)
        },
        Ban(what: "usleep", reason: "blocks the only loop of the process", word: "sleep(") {
            $0.contains(/\b(?:usleep|nanosleep)\(/)
        },
        Ban(what: "AsyncStream without a bound", reason: "an unbounded buffer", word: "Stream") { line in
            line.contains(/\bAsync(?:Throwing)?Stream(?:<[^>]*>)?(?:\.makeStream)?\(/) && !line.contains("bufferingPolicy")
        },
    ]

    @Test("banned calls stand only where a reason is given", arguments: bans)
    func calls(_ ban: Ban) {
        for file in SourceTree.files where !file.isGenerated && (ban.coversTests || !file.isTest) && !Self.isThisSuite(file) {
            if ban.allowed.contains(where: { file.path.hasPrefix($0.key) }) { continue }
            for (number, line) in file.code(holding: ban.word) where ban.isIn(line) {
                Issue.record("\(file):\(number): \(ban.what): \(ban.reason)")
            }
        }
    }

    @Test("every exception is still needed", arguments: bans)
    func exceptions(_ ban: Ban) {
        for (place, reason) in ban.allowed {
            let isUsed = SourceTree.files.contains {
                $0.path.hasPrefix(place) && $0.code(holding: ban.word).contains { ban.isIn($0.line) }
            }
            #expect(isUsed, "\(place) does not need its exception for \(ban.what) any more (\(reason))")
        }
    }

    @Test("nothing is left to be done in a comment")
    func leftovers() {
        for file in SourceTree.files where !file.isGenerated && !Self.isThisSuite(file) {
            for (number, line) in file.lines.enumerated()
            where ["TODO", "FIXME", "XXX", "HACK"].contains(where: line.holds) && line.contains(/\b(?:TODO|FIXME|XXX|HACK)\b/) {
                Issue.record("\(file):\(number + 1): \(line)")
            }
        }
    }

    @Test("a program stops itself only over a bug, and says so")
    func fatalErrors() {
        for file in SourceTree.product {
            for (number, line) in file.code(holding: "fatalError(", "preconditionFailure(") {
                #expect(file.lines[(number - 1)...].prefix(2).joined().holds("\"bug: "), "\(file):\(number): \(line)")
            }
        }
    }

    @Test("only programs for people print")
    func printing() {
        for file in SourceTree.product where !file.path.hasPrefix("Shared/AdminCLI/") && !file.path.contains("/Sources/bulkhead")
        {
            for (number, line) in file.code(holding: "rint(", "dump(")
            where line.contains(/(?:^|[^.\w])(?:debugPrint|print|dump)\(/) {
                Issue.record("\(file):\(number): \(line)")
            }
        }
    }

    /// Types whose safety the compiler cannot see, and why they are safe.
    static let unchecked: [String: String] = [
        "Shared/IPC/": "its connections, pipes and calls are touched on their event loop only; each says so where it is declared",
        "Services/Credentials/Sources/CredentialsService/Outbound/":
            "connections and their pools are touched on their one event loop only; each says so where it is declared",
        "Services/Credentials/Sources/CredentialsService/Keychain/":
            "its connection is touched on the keychain's one thread only; the deadline wraps a GCancellable, which is thread-safe",
        "Shared/Store/Postgres/Monitor.swift": "its state is touched under a mutex of the C library, which threads wait on",
        "Services/Session/Sources/SessionService/Limits/":
            "what is counted of a subject is touched under one lock; each says which",
        "Shared/Store/SQLite/":
            "its statements and copies are touched on SQLite's one thread only; each says so where it is declared",
        "Shared/Redis/": "its client and connection are touched on their event loop only; each says so where it is declared",
    ]

    @Test("@unchecked Sendable stands only where a reason is given, and the declaration tells it")
    func unchecked() {
        for file in SourceTree.product {
            for (number, line) in file.code(holding: "@unchecked Sendable") {
                let isAllowed = Self.unchecked.contains { file.path.hasPrefix($0.key) }
                let above = file.lines[..<(number - 1)].last ?? ""
                #expect(isAllowed && above.holds("//"), "\(file):\(number): \(line)")
            }
        }
    }

    private static func isThisSuite(_ file: SourceFile) -> Bool { file.path.hasPrefix("Tests/Unit/TidyTests/") }
}
