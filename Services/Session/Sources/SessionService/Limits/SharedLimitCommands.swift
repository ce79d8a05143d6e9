import BulkheadRedis

/// The names of one tenant's keys. What a tenant is called is escaped: none reaches into another's.
struct TenantKeys {
    private let prefix: String

    init(_ tenant: String) {
        prefix = "bh:{t:" + Self.escaped(tenant) + "}:"
    }

    func admission(_ id: String) -> String { prefix + "a:" + id }

    /// The keys of a rule, as `LimitFunctions` names them.
    func keys(_ rule: LimitRule) -> [String] {
        switch rule.kind {
        case .requests: [prefix + "q:" + rule.subject.text]
        case .tokens: [prefix + "k:" + rule.subject.text]
        case .places: [prefix + "p:" + rule.subject.text]
        case .budget(let window): ["b:", "o:"].map { "\(prefix)\($0)\(window):\(rule.subject.text)" }
        case .runaway(let subject, _):
            ["\(prefix)g:\(String(subject.likeness, radix: 16)):\(subject.key):\(subject.identity.text)"]
        }
    }

    private static func escaped(_ name: String) -> String {
        let isPlain = { (byte: UInt8) in
            switch byte {
            case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "@"):
                true
            default: false
            }
        }
        guard !name.utf8.allSatisfy(isPlain) else { return name }
        return name.utf8.map { byte in
            isPlain(byte) ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}

/// Calls of the functions in Redis, and what they answer.
struct SharedLimitCommands {
    /// Names the durable store: those who share it seed a budget once.
    let store: @Sendable () -> String

    func ask(_ question: LimitQuestion, _ seeds: [Int: BudgetSeed], _ time: Int64?) -> RedisCommand {
        let names = TenantKeys(question.tenant)
        let keys = [names.admission(question.admission)] + question.rules.flatMap(names.keys)
        var arguments = [
            Self.text(time), question.admission, question.run == 0 ? "0" : "1", "\(question.lease)",
            question.counts ? "1" : "0", "\(question.weight)", "\(question.tokens)", "\(question.assumed)",
            "\(question.nanousd)", store(),
        ]
        arguments.reserveCapacity(arguments.count + 4 * question.rules.count)
        for (index, rule) in question.rules.enumerated() {
            let (letter, window) = Self.form(rule)
            arguments += [letter, "\(rule.most)", "\(window)", seeds[index].map { "\($0.start) \($0.spent)" } ?? ""]
        }
        return Self.call("ask", keys, arguments)
    }

    func settle(_ settlement: LimitSettlement, _ time: Int64?) -> RedisCommand {
        let names = TenantKeys(settlement.tenant)
        var keys = [names.admission(settlement.admission)]
        var arguments = [
            Self.text(time), store(), "\(settlement.tokens)", "\(settlement.nanousd)", settlement.ran ? "1" : "0",
            settlement.isAbandoned ? "1" : "0",
        ]
        for rule in settlement.otherwise {
            guard case .budget = rule.kind else { continue }
            keys.append(names.keys(rule)[0])
            arguments += ["\(rule.most)", "\(Self.form(rule).window)"]
        }
        return Self.call("settle", keys, arguments)
    }

    func renew(_ tenant: String, _ admissions: some Sequence<String>, _ time: Int64?) -> RedisCommand {
        let names = TenantKeys(tenant)
        return Self.call("renew", admissions.map(names.admission), [Self.text(time)])
    }

    /// Deletes what is counted of a subject's requests and tokens: what is not there is nothing.
    func reset(_ subject: LimitSubject) -> RedisCommand {
        let names = TenantKeys(subject.tenant)
        let rules: [LimitRule] = [LimitRule(.requests, subject, most: 1), LimitRule(.tokens, subject, most: 1)]
        return RedisCommand(["DEL"] + rules.flatMap(names.keys))
    }

    func beat(_ suite: String, milliseconds: Int64) -> RedisCommand {
        Self.call("beat", ["bh:suites"], ["", suite, "\(milliseconds)"])
    }

    private static func text(_ time: Int64?) -> String { time.map { "\($0)" } ?? "" }

    private static func call(_ name: String, _ keys: [String], _ arguments: [String]) -> RedisCommand {
        RedisCommand(["FCALL", "bulkhead_v1_" + name, "\(keys.count)"] + keys + arguments)
    }

    /// The letter of a rule, and its window in microseconds.
    private static func form(_ rule: LimitRule) -> (letter: String, window: Int64) {
        switch rule.kind {
        case .requests: ("q", 60_000_000)
        case .tokens: ("k", 60_000_000)
        case .places: ("p", 0)
        case .budget(let window): ("b", window * 1000)
        case .runaway(_, let window): ("g", window * 1000)
        }
    }

    /// nil: not what the function answers.
    static func outcome(_ reply: RedisReply, _ question: LimitQuestion) -> LimitOutcome? {
        guard let numbers = reply.array?.map(\.integer), let status = numbers.first ?? nil else { return nil }
        let words = numbers.dropFirst().compactMap { $0 }
        guard words.count == numbers.count - 1 else { return nil }
        if status < 0 {
            guard !words.isEmpty, words.count.isMultiple(of: 2) else { return nil }
            let gaps = stride(from: 0, to: words.count, by: 2).map { BudgetGap(rule: words[$0], start: Int64(words[$0 + 1])) }
            return gaps.allSatisfy { question.rules.indices.contains($0.rule) } ? .unseeded(gaps) : nil
        }
        guard words.count == 6 * question.rules.count else { return nil }
        var answer = LimitAnswer(isAdmitted: status == 1, standings: [])
        for (index, rule) in question.rules.enumerated() {
            let word = { words[6 * index + $0] }
            answer.standings.append(
                LimitStanding(
                    isAdmitted: word(0) == 1, isNever: word(0) == 2, limit: rule.most, remaining: word(1),
                    reset: Int64(word(2)), retryAfter: Int64(word(3)), start: Int64(word(4))))
            if word(5) >= 0, case .budget(let window) = rule.kind {
                answer.crossings.append(
                    BudgetCrossing(
                        subject: rule.subject.text, windowMilliseconds: window, limit: rule.most, from: word(5),
                        to: BudgetBook.thresholds.count))
            }
        }
        return .decided(answer)
    }

    /// Whether the admission was known, and thresholds that were passed; nil: not what the function answers.
    static func settled(_ reply: RedisReply) -> (isKnown: Bool, crossings: [BudgetCrossing])? {
        guard let words = reply.array, let known = words.first?.integer, words.count % 5 == 1 else { return nil }
        let crossings = stride(from: 1, to: words.count, by: 5).compactMap { at -> BudgetCrossing? in
            guard let key = words[at].bytes.map({ String(buffer: $0) }), let most = words[at + 1].integer,
                let window = words[at + 2].integer, let from = words[at + 3].integer, let to = words[at + 4].integer
            else { return nil }
            // `bh:{t:TENANT}:b:WINDOW:SUBJECT`; an escaped tenant holds no colon.
            let subject = key.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).last.map(String.init) ?? ""
            return BudgetCrossing(
                subject: subject, windowMilliseconds: Int64(window) / 1000, limit: most, from: from, to: to)
        }
        return (known == 1, crossings)
    }
}
