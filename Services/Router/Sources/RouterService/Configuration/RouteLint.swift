import BulkheadConfig
import BulkheadCore

/// Refuses rules of a route that can never fire: who wrote them counts on them.
enum RouteLint {
    /// Checks what one entry of `router.models` says by itself.
    static func check(_ section: ConfigSection, _ model: ModelConfiguration) {
        checkFallbacks(section, model)
        checkOtherTargets(section, model)
        checkTries(section, model)
        checkStreamBreak(section, model)
        checkTargets(section, model)
        checkTimeouts(section.section("timeouts"), model.timeouts)
    }

    /// Checks what entries say together, and with the cache. - Parameter sections: of `models`, in the same order.
    static func check(_ sections: [ConfigSection], _ models: [ModelConfiguration], _ cache: AnswerCacheConfiguration) {
        for (section, model) in zip(sections, models)
        where model.fallbacks.contains(.staleCache) && cache.exact.when == .off {
            section.report(
                "fallbacks", found: "stale_cache while router.cache.exact.when is off",
                expected: "a cache that keeps answers (when: always), or no stale_cache: there is never one to fall back to")
        }
        checkPatterns(sections, models)
    }

    private static func checkFallbacks(_ section: ConfigSection, _ model: ModelConfiguration) {
        if let place = model.fallbacks.firstIndex(of: .answer), place < model.fallbacks.count - 1 {
            let never = model.fallbacks[(place + 1)...].map(\.rawValue).joined(separator: ", ")
            section.report(
                "fallbacks", found: "\(never) after answer",
                expected: "answer as the last one: it never fails, so nothing follows it")
        }
        if model.fallbackAnswer != nil, !model.fallbacks.contains(.answer) {
            section.report(
                "fallback_answer", found: "a text that is never sent",
                expected: "answer in fallbacks, as the last one, or no fallback_answer")
        }
    }

    private static func checkOtherTargets(_ section: ConfigSection, _ model: ModelConfiguration) {
        guard model.strategy == .ordered, model.targets.count > 1, !model.fallbacks.contains(.target) else { return }
        section.report(
            "fallbacks", found: "no target, and \(model.targets.count) targets",
            expected: "target in fallbacks, or one target: the later ones are never reached")
    }

    /// Fewer tries than targets are a wish, not a mistake: targets that are skipped (breaker open, switched off, unfit) cost none.
    private static func checkTries(_ section: ConfigSection, _ model: ModelConfiguration) {
        let retry = section.section("retry")
        guard retry.contains("max_tries") else { return }
        let most = model.retry.maxTries
        if retry.contains("tries_per_target"), model.retry.triesPerTarget > most {
            retry.report(
                "tries_per_target", found: "\(model.retry.triesPerTarget)",
                expected: "at most max_tries, \(most): it is reached first")
        }
    }

    private static func checkStreamBreak(_ section: ConfigSection, _ model: ModelConfiguration) {
        guard model.onStreamBreak == .replay || model.onStreamBreak == .continue else { return }
        let hasNext = model.targets.count > 1 && model.fallbacks.contains(.target)
        guard model.retry.maxTries < 2 || (!hasNext && model.retry.triesPerTarget < 2) else { return }
        section.report(
            "on_stream_break", found: "\(model.onStreamBreak.rawValue), and one try for every request",
            expected: "error or buffer, or somebody to go on: another target, retry.tries_per_target and max_tries of at least 2")
    }

    private static func checkTargets(_ section: ConfigSection, _ model: ModelConfiguration) {
        var seen: Set<String> = []
        for (target, configured) in zip(section.list("targets"), model.targets) where !configured.provider.isEmpty {
            guard !seen.insert("\(configured.provider)/\(configured.model)").inserted else { continue }
            target.report(
                configured.model.isEmpty ? "provider" : "model",
                found: "\(configured.provider)/\(configured.model.isEmpty ? "(the name asked for)" : configured.model) again",
                expected: "each target once in a model; use weight for a larger share and retry.tries_per_target for more tries")
        }
    }

    private static func checkTimeouts(_ section: ConfigSection, _ timeouts: RouteTimeouts) {
        let parts: [(key: String, value: Duration)] = [
            ("connect", timeouts.connect), ("first_token", timeouts.firstToken), ("between_tokens", timeouts.betweenTokens),
        ]
        let total = shown(timeouts.total) + (section.contains("total") ? "" : " unless it is written")
        for (key, value) in parts where section.contains(key) && value >= timeouts.total {
            section.report(key, found: shown(value), expected: "less than total, \(total): that ends the request first")
        }
    }

    /// A pattern is out of reach when one that is asked before it matches everything it matches.
    private static func checkPatterns(_ sections: [ConfigSection], _ models: [ModelConfiguration]) {
        // More would cost more than the mistake: every pair is compared.
        let patterns = zip(sections, models).filter { $0.1.name.contains("*") }.prefix(maxPatterns)
            .map { (section: $0.0, pattern: NamePattern($0.1.name)) }
        // As the routing table asks them.
        let ordered = patterns.sorted { $0.pattern.specificity > $1.pattern.specificity }
        for (index, later) in ordered.enumerated() {
            let before = ordered[..<index].first {
                $0.pattern.text != later.pattern.text && $0.pattern.coversAll(of: later.pattern.text)
            }
            guard let before else { continue }
            later.section.report(
                "name", found: "\(later.pattern.text), which no name reaches",
                expected: "a pattern that \(before.pattern.text) does not match entirely: that one is asked first")
        }
    }

    private static let maxPatterns = 1000

    private static func shown(_ duration: Duration) -> String {
        let milliseconds = Int(duration.milliseconds)
        return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }
}
