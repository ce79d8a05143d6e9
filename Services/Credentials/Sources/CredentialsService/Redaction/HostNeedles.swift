/// What must not come back from each place: all usable secrets sealed for it, with their former values. An upstream that was sent one secret may give it
/// back in an answer to another.
struct HostNeedles {
    private let byPlace: [SealedHost: SecretNeedles]

    /// Made for places that destinations with secrets name.
    init(_ configurations: [DestinationConfiguration], _ vault: Vault.State) {
        guard case .open(let secrets) = vault else {
            byPlace = [:]
            return
        }
        var values: [SealedHost: [[UInt8]]] = [:]
        let places = Set(configurations.filter { $0.secret != nil }.map(\.place))
        for secret in secrets.values where secret.policy.revoked == 0 {
            let grants = secret.policy.ceiling.filter { places.contains($0.place) }
            for (place, preset) in Set(grants.map { GrantedUse($0) }).map({ ($0.place, $0.preset) }) {
                for value in [secret.value] + secret.former.map(\.value) {
                    values[place, default: []] += Injection.sensitive(in: value, preset)
                }
            }
        }
        byPlace = values.mapValues { SecretNeedles($0) }
    }

    private struct GrantedUse: Hashable {
        let place: SealedHost
        let preset: Preset

        init(_ grant: Grant) { (place, preset) = (grant.place, grant.preset) }
    }

    /// The needles of a place; nil when no secret is sealed for it.
    func of(_ place: SealedHost) -> SecretNeedles? { byPlace[place] }
}
