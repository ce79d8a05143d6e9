import ArgumentParser
import BulkheadAdminCLI
import BulkheadServiceKit
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
            "Groups of routes it may use: models, embeddings, credentials, read, operations, with commas between; without it all."
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
            table(
                [["ID", "PREFIX", "STATE", "TENANT", "USER", "ADMIN", "RPM", "MADE", "ENDS"]]
                    + keys.map { key in
                        [
                            key.id, key.prefix.isEmpty ? "-" : key.prefix, key.state, key.tenant, key.user ?? "-",
                            key.admin ? "yes" : "no",
                            key.rpm.map { "\($0)" } ?? "-",
                            timeText(key.createdAt), timeText(key.revokedAt ?? key.expiresAt),
                        ]
                    })
        }
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
    let number = { (value: Int?) in value.map { "\($0)" } ?? "-" }
    var rows = [
        ["id", key.id], ["begins with", key.prefix.isEmpty ? "-" : key.prefix], ["state", key.state], ["tenant", key.tenant],
        ["user", key.user ?? "-"],
        ["admin", key.admin ? "yes" : "no"], ["may name users", key.assertUser ? "yes" : "no"],
        ["scopes", key.scopes.isEmpty ? "all" : key.scopes.joined(separator: ", ")],
        ["destinations", key.destinations.isEmpty ? "none" : key.destinations.joined(separator: ", ")],
        ["models", key.models.isEmpty ? "all" : key.models.joined(separator: ", ")],
        ["requests per minute", number(key.rpm)], ["tokens per minute", number(key.tpm)], ["at once", number(key.concurrency)],
        ["made", timeText(key.createdAt)], ["ends", timeText(key.revokedAt ?? key.expiresAt)], ["replaces", key.replaces ?? "-"],
    ]
    if let spend = key.spend { rows.append(["spent", spendText(spend)]) }
    if let spend = key.spendToday { rows.append(["spent today", spendText(spend)]) }
    return table(rows)
}

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
        "rotate", "Make a new key with the same rights; the old one ends.",
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
