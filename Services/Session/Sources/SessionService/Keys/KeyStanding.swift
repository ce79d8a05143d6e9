import BulkheadAPI

// What stands between a good key and its request before any limit is asked: its tenant is blocked, its scopes do not cover the
// route, or nothing may be spent.

extension KeyIndex {
    /// Whether `key` may make the request; a refusal is put into `reply`.
    func permits(_ request: SessionAPI.AdmitRequest, by key: KeyRecord, _ reply: inout SessionAPI.AdmitReply) -> Bool {
        reply.spendFrozen = isFrozen(key.tenant)
        guard let refusal = refusal(of: request, by: key) else { return true }
        reply.verdict = refusal.verdict
        reply.reason = refusal.reason
        return false
    }

    private func isFrozen(_ name: String) -> Bool {
        let (tenant, everybody) = tenants.standing(of: name)
        return tenant?.frozenAt != nil || everybody?.frozenAt != nil
    }

    private func refusal(
        of request: SessionAPI.AdmitRequest, by key: KeyRecord
    ) -> (verdict: SessionAPI.Verdict, reason: String)? {
        let (tenant, everybody) = tenants.standing(of: key.tenant)
        if let tenant, tenant.blockedAt != nil {
            let why = tenant.reason.map { ": \($0)" } ?? ""
            return (.tenantBlocked, "the tenant \(key.tenant) is blocked\(why)")
        }
        guard key.covers(route: request.route) else {
            return (.scopeRefused, "the key's scopes (\(key.scopes.joined(separator: ", "))) do not cover \(request.route)")
        }
        // A question that counts nothing spends nothing.
        guard request.count else { return nil }
        if everybody?.frozenAt != nil { return (.spendFrozen, "spending is frozen for everybody") }
        if tenant?.frozenAt != nil { return (.spendFrozen, "spending is frozen for the tenant \(key.tenant)") }
        return nil
    }
}
