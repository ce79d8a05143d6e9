import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
import Glibc
import SessionService

/// `keys`.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = command(
        "keys", "Make, show and end API keys.", example: "keys list",
        subcommands: [KeysCreate.self, KeysList.self, KeysShow.self, KeysRevoke.self, KeysRotate.self])
}

/// `keys create`.
struct KeysCreate: AsyncParsableCommand {
    static let configuration = command(
        "create", "Make a key and print it, this one time.",
        example: "keys create --tenant acme --user ada --rpm 60 --expires 30d")
    @OptionGroup var shared: SharedOptions
    @Option(help: "The tenant the key belongs to.") var tenant: String
    @Option(help: "The user the key belongs to; without it the tenant's own.") var user: String?
    @Flag(help: "May read metrics and administer over HTTP.") var admin = false
    @Flag(help: "May name the user of a request with x-bulkhead-user.") var assertUser = false
    @Option(
        help:
            "Groups of routes it may use: models, embeddings, retrieval, jobs, checkpoints, feedback, credentials, read, operations, with commas between; without it all."
    )
    var scopes: String?
    @Option(help: "Destinations the key may call, each by name, with commas between; without it none.") var destinations: String?
    @Option(help: "Models the key may use, with commas between, * at the end for any; without it all.") var models: String?
    @Option(help: "Requests per minute; without it the limit of the user.") var rpm: Int?
    @Option(help: "Tokens per minute.") var tpm: Int?
    @Option(help: "Requests at once.") var concurrency: Int?
    @Option(help: "US dollars the key may spend in --budget-window.") var budgetUsd: Double?
    @Option(help: "What --budget-usd is for; 1d without it.") var budgetWindow: String?
    @Option(help: "The key ends after this time, e.g. 30d; without it never.") var expires: String?

    func validate() throws {
        // JSON, in which it is sent, has no such number.
        if let budgetUsd, !budgetUsd.isFinite { throw ValidationError("--budget-usd is \(budgetUsd); give an amount in dollars") }
    }

    func run() async throws {
        var asked = KeyCreation(tenant: tenant)
        asked.user = user
        asked.admin = admin
        asked.assertUser = assertUser
        asked.scopes = try names(scopes, "--scopes")
        asked.destinations = try names(destinations, "--destinations")
        asked.models = try names(models, "--models")
        asked.rpm = rpm
        asked.tpm = tpm
        asked.concurrency = concurrency
        asked.budgetUSD = budgetUsd
        asked.budgetWindow = budgetWindow
        asked.expires = expires
        let made = try await AdminConnection(.session, shared).invoke("keys.create", asked, as: KeyCreated.self)
        try show(made, shared) { announce($0) }
    }

    /// A list with nothing in it is no wish for everything: more often a variable that was not set.
    private func names(_ list: String?, _ option: String) throws -> [String] {
        guard let list else { return [] }
        let names = list.split(separator: ",", omittingEmptySubsequences: false).map {
            String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        guard !names.contains("") else {
            throw ValidationError("\(option) is \"\(list)\", which holds an empty name; leave the option out for no restriction")
        }
        return names
    }
}

private func announce(_ made: KeyCreated) -> String {
    "\(made.key)\nThis is \(made.id) of tenant \(made.tenant). The key is not shown again: keep it now."
}

/// `keys list`.
struct KeysList: AsyncParsableCommand {
    static let configuration = command("list", "List keys, oldest first.", example: "keys list --tenant acme --state good")
    @OptionGroup var shared: SharedOptions
    @Option(help: "Only this tenant's.") var tenant: String?
    @Option(help: "Only those that are good, revoked or expired.") var state: String?

    func run() async throws {
        let keys = try await AdminConnection(.session, shared).invoke(
            "keys.list", KeySelection(tenant: tenant, state: state), as: [KeyReport].self)
        try show(keys, shared) { keys in
            table([["ID", "PREFIX", "STATE", "OWNER", "RPM", "TPM", "CONC", "BUDGET", "SCOPES"]] + keys.map(row))
        }
    }

    /// A key in 100 columns, however long its names are.
    private func row(_ key: KeyReport) -> [String] {
        let budget = budgetText(key).map { cut("$\($0.amount)/\($0.window)", 9) }
        let scopes = (key.admin ? ["admin"] : []) + (key.scopes.isEmpty ? ["all"] : key.scopes)
        return [
            key.id, key.prefix.isEmpty ? "-" : key.prefix, state(key),
            cut(key.user.map { "\(key.tenant)/\($0)" } ?? key.tenant, 14), shortText(key.rpm), shortText(key.tpm),
            shortText(key.concurrency), budget ?? "-", cut(scopes.joined(separator: ","), 10),
        ]
    }

    /// A good key's state with what is left of its time.
    private func state(_ key: KeyReport) -> String {
        guard key.state == "good", let end = key.expiresAt else { return key.state }
        let seconds = max(0, end / 1000 - Int64(time(nil)))
        for (unit, length) in [("d", Int64(86_400)), ("h", 3600), ("m", 60)] where seconds >= length {
            return "good \(seconds / length)\(unit)"
        }
        return "good \(seconds)s"
    }
}

/// `keys show`.
struct KeysShow: AsyncParsableCommand {
    static let configuration = command("show", "Show a key and what it spent.", example: "keys show key_5sTqVnN0bWJ0aGlz")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "The key's id, as `keys list` shows it.") var id: String

    func run() async throws {
        let key = try await AdminConnection(.session, shared).invoke("keys.show", KeyName(id: id), as: KeyReport.self)
        try show(key, shared) { describe($0) }
    }
}

private func describe(_ key: KeyReport) -> String {
    let budget = budgetText(key).map { "\($0.amount) USD in \($0.window)" }
    // The day, as spend is kept by days.
    let lastUsed = key.lastUsedDay.map { String(timeText($0).prefix(10)) }
    var rows: [[String]] = [
        ["id", key.id], ["begins with", key.prefix.isEmpty ? "-" : key.prefix], ["state", key.state], ["tenant", key.tenant],
        ["user", key.user ?? "-"], ["admin", key.admin ? "yes" : "no"], ["may name users", key.assertUser ? "yes" : "no"],
    ]
    rows += [
        ["scopes", listText(key.scopes, none: "all")], ["destinations", listText(key.destinations, none: "none")],
        ["models", listText(key.models, none: "all")],
    ]
    rows += [
        ["requests per minute", numberText(key.rpm)], ["tokens per minute", numberText(key.tpm)],
        ["at once", numberText(key.concurrency)], ["budget", budget ?? "-"],
    ]
    rows += [
        ["made", timeText(key.createdAt)], ["ends", timeText(key.revokedAt ?? key.expiresAt)],
        ["replaces", key.replaces ?? "-"], ["last used", lastUsed ?? "-"],
    ]
    if key.account != key.id { rows.append(["counts under", key.account]) }
    if let spend = key.spend { rows.append(["spent", spendText(spend)]) }
    if let spend = key.spendToday { rows.append(["spent today", spendText(spend)]) }
    return table(rows)
}

private func numberText(_ number: Int?) -> String { number.map { "\($0)" } ?? "-" }

private func listText(_ names: [String], none: String) -> String { names.isEmpty ? none : names.joined(separator: ", ") }

/// `keys revoke`.
struct KeysRevoke: AsyncParsableCommand {
    static let configuration = command("revoke", "End a key, at once.", example: "keys revoke key_5sTqVnN0bWJ0aGlz")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "The key's id, as `keys list` shows it.") var id: String

    func run() async throws {
        let key = try await AdminConnection(.session, shared).invoke("keys.revoke", KeyName(id: id), as: KeyReport.self)
        try show(key, shared) { "\($0.id) of tenant \($0.tenant) is \($0.state)" }
    }
}

/// `keys rotate`.
struct KeysRotate: AsyncParsableCommand {
    static let configuration = command(
        "rotate", "Make a new key with the same rights, limits and budget; what was used of them stays used. The old one ends.",
        example: "keys rotate key_5sTqVnN0bWJ0aGlz --overlap 1h")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "The id of the key to replace.") var id: String
    @Option(help: "How long the old key stays good, e.g. 1h; without it not at all.") var overlap: String?

    func run() async throws {
        let made = try await AdminConnection(.session, shared).invoke(
            "keys.rotate", KeyRotation(id: id, overlap: overlap), as: KeyCreated.self)
        try show(made, shared) { announce($0) }
    }
}
