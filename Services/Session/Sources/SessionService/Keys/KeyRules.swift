import BulkheadCore

/// What a key may be made of. Everything is checked before anything is written.
enum KeyRules {
    /// Turns what was asked for into a record without prefix.
    /// - Throws: INVALID_ARGUMENT that names the option.
    static func record(_ asked: KeyCreation, id: String, digest: KeyDigest, now: Int64) throws -> KeyRecord {
        try check(name: asked.tenant, option: "--tenant", limit: 128)
        if let user = asked.user { try check(name: user, option: "--user", limit: 256) }
        var key = KeyRecord(id: id, digest: digest, tenant: asked.tenant, user: asked.user, createdAt: now)
        key.isAdmin = asked.admin
        key.mayAssertUser = asked.assertUser
        key.scopes = try scopes(asked.scopes)
        key.destinations = try destinations(asked.destinations)
        key.models = try models(asked.models)
        key.requestsPerMinute = try positive(asked.rpm, option: "--rpm", limit: 10_000_000)
        key.tokensPerMinute = try positive(asked.tpm, option: "--tpm", limit: 1_000_000_000_000)
        key.concurrency = try positive(asked.concurrency, option: "--concurrency", limit: 1_000_000)
        try setBudget(asked, &key)
        key.expiresAt = try asked.expires.map { now + (try milliseconds($0, option: "--expires")) }
        return key
    }

    /// Milliseconds of a duration such as `90s`, `1h` or `30d`, above zero.
    static func milliseconds(_ text: String, option: String) throws -> Int64 {
        let factors: [(unit: String, factor: Int64)] = [
            ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
        ]
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count)
        guard digits.count <= 12, let number = Int64(digits), number > 0,
            let factor = factors.first(where: { $0.unit == unit })?.factor,
            // Ten years bound every sum with the present.
            number <= 3650 * 86_400_000 / factor
        else {
            throw invalid(option, text, "a duration up to 3650d such as 90s, 12h or 30d")
        }
        return number * factor
    }

    private static func setBudget(_ asked: KeyCreation, _ key: inout KeyRecord) throws {
        guard let dollars = asked.budgetUSD else {
            if let window = asked.budgetWindow { throw invalid("--budget-window", window, "to go with --budget-usd") }
            return
        }
        // A window's budget is counted in doubles by a shared store: exact up to 2^53 nano-dollars.
        guard dollars.isFinite, (1e-9 ... 9_000_000).contains(dollars) else {
            throw invalid("--budget-usd", "\(dollars)", "an amount above 0, up to 9000000; `spend freeze` stops all spending")
        }
        key.budgetNanousd = Int((dollars * 1e9).rounded())
        let window = try milliseconds(asked.budgetWindow ?? "1d", option: "--budget-window")
        guard window >= 60_000 else {
            throw invalid("--budget-window", asked.budgetWindow ?? "", "a minute or longer, e.g. 1h or 1d")
        }
        key.budgetWindowMilliseconds = Int(window)
    }

    static func check(name: String, option: String, limit: Int) throws {
        let isPrintable = name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        guard !name.isEmpty, name.utf8.count <= limit, isPrintable else {
            throw invalid(option, name, "1 to \(limit) bytes without control characters")
        }
    }

    private static func scopes(_ names: [String]) throws -> [String] {
        for name in names where KeyScope(rawValue: name) == nil {
            throw invalid("--scopes", name, "some of \(KeyScope.known), with commas between")
        }
        return Set(names).sorted()
    }

    private static func models(_ names: [String]) throws -> [String] {
        for name in try list(names, option: "--models") where name.dropLast().contains("*") {
            throw invalid("--models", name, "names, with a * at the end only, e.g. gpt-5*")
        }
        return names
    }

    /// Each by its own name: what is configured later is nobody's until a key names it. So there is no sign for all of them.
    private static func destinations(_ names: [String]) throws -> [String] {
        let option = "--destinations"
        for name in try list(names, option: option) where name.utf8.count > 64 || !name.utf8.allSatisfy(isNameByte) {
            throw invalid(option, name, "names as in credentials.destinations (letters, digits, '-', '_'), each by itself")
        }
        return names
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func list(_ names: [String], option: String) throws -> [String] {
        guard names.count <= 256 else { throw invalid(option, "\(names.count) names", "at most 256") }
        for name in names {
            try check(name: name, option: option, limit: 256)
            if name.contains(",") { throw invalid(option, name, "names without commas") }
        }
        return names
    }

    private static func positive(_ value: Int?, option: String, limit: Int) throws -> Int? {
        guard let value else { return nil }
        guard (1 ... limit).contains(value) else { throw invalid(option, "\(value)", "a whole number from 1 to \(limit)") }
        return value
    }

    private static func invalid(_ option: String, _ found: String, _ expected: String) -> CallError {
        CallError(
            .invalidArgument, reason: "invalid_request", message: "\(option) is \"\(found.prefix(80))\"; expected \(expected)")
    }
}
