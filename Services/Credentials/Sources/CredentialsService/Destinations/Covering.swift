/// One thing in which a destination goes beyond what was sealed.
package struct Widening: Sendable, Hashable, Codable, CustomStringConvertible {
    /// A stable word: host, preset, injection, oauth, scheme, plain_http, private_network, tls, pins, paths, methods, callers,
    /// headers, max_request, max_response, rate, probe.
    package var what: String
    /// What was sealed, for people.
    package var sealed: String
    /// What the configuration asks for.
    package var asked: String

    /// `paths /v1/** (sealed: /v1/balance)`.
    package var description: String { "\(what) \(asked) (sealed: \(sealed))" }
}

extension Grant {
    /// Whether the configuration asks for nothing beyond this grant.
    package func covers(_ asked: Grant) -> Bool { widenings(by: asked).isEmpty }

    /// In what `asked` goes beyond this grant, the gravest first.
    package func widenings(by asked: Grant) -> [Widening] {
        var found: [Widening] = []
        if asked.place != place {
            found.append(Widening(what: "host", sealed: place.description, asked: asked.place.description))
        }
        if asked.preset != preset {
            found.append(Widening(what: "preset", sealed: preset.rawValue, asked: asked.preset.rawValue))
        }
        guard let terms else { return found + looseWidenings(asked) }
        guard let other = asked.terms else {
            return found + [Widening(what: "terms", sealed: "those of destination \(destination)", asked: "any")]
        }
        return found + terms.widenings(by: other)
    }
}

extension Grant {
    /// What an operator sealed by host and preset alone leaves the rest to the configuration, but for ways of injection that
    /// say more than a field: they may name another place for the secret to go.
    private func looseWidenings(_ asked: Grant) -> [Widening] {
        guard asked.preset == preset, let injection = asked.terms?.injection,
            injection != InjectionSpec(preset: preset, field: injection.field)
        else { return [] }
        return [Widening(what: "injection", sealed: "\(preset.rawValue) without more", asked: "\(preset.rawValue) with more")]
    }
}

extension GrantTerms {
    func widenings(by asked: GrantTerms) -> [Widening] {
        connectionWidenings(asked) + requestWidenings(asked) + limitWidenings(asked)
    }

    private func connectionWidenings(_ asked: GrantTerms) -> [Widening] {
        var found: [Widening] = []
        if asked.injection.preset == injection.preset, asked.injection != injection {
            let isElsewhere = asked.injection.oauth != injection.oauth
            found.append(
                Widening(
                    what: isElsewhere ? "oauth" : "injection", sealed: injection.described, asked: asked.injection.described))
        }
        if isTLS, !asked.isTLS { found.append(Widening(what: "scheme", sealed: "https", asked: "http")) }
        if asked.plainHTTP, !plainHTTP { found.append(Widening(what: "plain_http", sealed: "false", asked: "true")) }
        if asked.privateNetwork, !privateNetwork {
            found.append(Widening(what: "private_network", sealed: "false", asked: "true"))
        }
        if asked.tls.minimum < tls.minimum {
            found.append(Widening(what: "tls", sealed: tls.minimum.rawValue, asked: asked.tls.minimum.rawValue))
        }
        if !tls.pins.isEmpty, asked.tls.pins.isEmpty || !Set(asked.tls.pins).isSubset(of: tls.pins) {
            let asked = asked.tls.pins.isEmpty ? "none" : asked.tls.pins.joined(separator: " ")
            found.append(Widening(what: "pins", sealed: tls.pins.joined(separator: " "), asked: asked))
        }
        return found
    }

    private func requestWidenings(_ asked: GrantTerms) -> [Widening] {
        var found: [Widening] = []
        let reach = reach
        if let beyond = asked.reach.first(where: { !$0.isCovered(by: reach) }) {
            let text = asked.paths == nil ? beyond.text : asked.base + beyond.text
            found.append(Widening(what: "paths", sealed: pathText, asked: text))
        }
        if let methods, asked.methods.map({ !Set($0).isSubset(of: methods) }) ?? true {
            found.append(Widening(what: "methods", sealed: Self.list(methods), asked: asked.methods.map(Self.list) ?? "all"))
        }
        if !Set(asked.callers).isSubset(of: callers) {
            found.append(Widening(what: "callers", sealed: Self.list(callers), asked: Self.list(asked.callers)))
        }
        if !headers.covers(asked.headers) {
            found.append(Widening(what: "headers", sealed: headers.description, asked: asked.headers.description))
        }
        if let wanted = asked.probe, wanted != probe, !allows(wanted, below: asked.base) {
            found.append(
                Widening(
                    what: "probe", sealed: probe.map { "\($0.method) \($0.path)" } ?? "what methods and paths allow",
                    asked: "\(wanted.method) \(wanted.path)"))
        }
        return found
    }

    private func limitWidenings(_ asked: GrantTerms) -> [Widening] {
        var found: [Widening] = []
        if asked.maxRequest > maxRequest {
            found.append(Widening(what: "max_request", sealed: "\(maxRequest)", asked: "\(asked.maxRequest)"))
        }
        if asked.maxResponse > maxResponse {
            found.append(Widening(what: "max_response", sealed: "\(maxResponse)", asked: "\(asked.maxResponse)"))
        }
        if let rate, asked.rate.map({ $0.rpm > rate.rpm || $0.burst > rate.burst }) ?? true {
            found.append(
                Widening(what: "rate", sealed: Self.text(rate), asked: asked.rate.map(Self.text) ?? "no limit"))
        }
        return found
    }

    private func allows(_ probe: Probe, below base: String) -> Bool {
        guard methods?.contains(probe.method) ?? true, let pattern = PathPattern(probe.path) else { return false }
        return pattern.below(base).isCovered(by: reach)
    }

    private var pathText: String { paths.map { Self.list($0.map { base + $0 }) } ?? base + "/**" }

    private static func list(_ texts: [String]) -> String { texts.isEmpty ? "none" : texts.joined(separator: ", ") }

    private static func text(_ rate: RateRule) -> String { "\(rate.rpm) a minute, \(rate.burst) at once" }
}
