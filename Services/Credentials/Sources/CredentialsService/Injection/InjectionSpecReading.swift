import BulkheadConfig

// The keys of a destination's entry that say how its secret is injected.
extension InjectionSpec {
    /// Reads them; what is wrong has been reported.
    init(_ section: ConfigSection) {
        self.init(preset: section.choice("preset", default: .bearer))
        let hmacHeader = preset == .hmac ? section.optionalString("header") : nil
        let given = InjectionPlace.Kind.allCases.compactMap { kind -> InjectionPlace? in
            if preset == .hmac, kind == .header { return nil }
            return section.optionalString(kind.rawValue).map { InjectionPlace(kind, $0) }
        }
        template = section.optionalString("value")
        readPlaces(given, section)
        readSigning(hmacHeader, section)
        readOAuth(section)
    }

    // MARK: places

    private mutating func readPlaces(_ given: [InjectionPlace], _ section: ConfigSection) {
        guard let own = preset.place else {
            for place in given {
                let kind = place.kind.rawValue
                section.report(kind, found: place.field, expected: "this key only with preset: \(kind) or one of its kind")
            }
            if preset != .hmac, let template {
                section.report("value", found: template, expected: Self.valueRule)
                self.template = nil
            }
            return
        }
        for place in given { Self.check(place, section) }
        guard let first = given.first(where: { $0.kind == own }), Self.problem(first) == nil else {
            if !given.contains(where: { $0.kind == own }) {
                section.report(own.rawValue, found: "nothing", expected: Self.rule(own))
            }
            return
        }
        field = first.field
        let others = given.filter { $0.kind != own && Self.problem($0) == nil }
        also = others.isEmpty ? nil : others
        checkTemplate(section)
    }

    private mutating func checkTemplate(_ section: ConfigSection) {
        guard let template else { return }
        let holes = template.ranges(of: SecretTemplate.hole).count
        if holes != 1 || !HeaderSyntax.isValue(template) || template.utf8.count > 256 || preset == .path && also == nil {
            section.report("value", found: template, expected: Self.valueRule)
            self.template = nil
        }
    }

    private static let valueRule =
        "a text with {secret} once, such as \"Token {secret}\", with preset: header, query, json or form"

    private static func check(_ place: InjectionPlace, _ section: ConfigSection) {
        if let expected = problem(place) { section.report(place.kind.rawValue, found: place.field, expected: expected) }
    }

    private static func problem(_ place: InjectionPlace) -> String? {
        let isGood =
            switch place.kind {
            case .header: HeaderSyntax.isName(place.field) && !HeaderHygiene.isFraming(place.field.lowercased())
            case .query: HeaderSyntax.isName(place.field)
            case .json: JSONPointer(place.field) != nil
            case .form: HeaderSyntax.isName(place.field)
            case .path: PathHole(place.field) != nil
            }
        return isGood ? nil : rule(place.kind)
    }

    private static func rule(_ kind: InjectionPlace.Kind) -> String {
        switch kind {
        case .header: "the name of the header the secret goes into"
        case .query: "the name of the query parameter the secret goes into"
        case .json: "a JSON pointer such as /auth/key: where in the body the secret goes"
        case .form: "the name of the form field the secret goes into"
        case .path: "a path with {secret} once, such as /bot{secret}, that precedes every call's path"
        }
    }

    // MARK: signing and tokens

    private mutating func readSigning(_ hmacHeader: String?, _ section: ConfigSection) {
        let region = section.optionalString("region")
        let service = section.optionalString("service")
        if preset == .awsSigV4 {
            let scope = AWSScope(region: region ?? "", service: service ?? "bedrock")
            if !AWSSignature.isScopePart(scope.region) {
                section.report("region", found: region ?? "nothing", expected: "a region of AWS such as us-east-1")
            }
            if !AWSSignature.isScopePart(scope.service) {
                section.report("service", found: scope.service, expected: "a signing name of AWS such as bedrock or s3")
            }
            aws = scope
        } else {
            for (key, found) in [("region", region), ("service", service)] {
                if let found { section.report(key, found: found, expected: "this key only with preset: aws-sigv4") }
            }
        }
        let algorithm = section.optionalChoice("algorithm", of: HMACSpec.Algorithm.self)
        let encoding = section.optionalChoice("encoding", of: HMACSpec.Encoding.self)
        let content = section.optionalChoice("signs", of: HMACSpec.Content.self)
        let timestamp = section.optionalString("timestamp_header")
        guard preset == .hmac else {
            for key in ["algorithm", "encoding", "signs", "timestamp_header"] where section.contains(key) {
                section.report(key, found: "a value", expected: "this key only with preset: hmac")
            }
            return
        }
        hmac = HMACSpec(
            header: hmacHeader ?? "", template: template ?? "{signature}", algorithm: algorithm ?? .sha256,
            encoding: encoding ?? .hex,
            content: content ?? .body, timestampHeader: timestamp)
        template = nil
        hmac?.check(section)
    }

    private mutating func readOAuth(_ section: ConfigSection) {
        guard preset == .oauth2 else {
            if section.contains("oauth") {
                section.report("oauth", found: "a section", expected: "this key only with preset: oauth2")
            }
            return
        }
        let inner = section.section("oauth")
        let url = inner.requiredURL("token_url", schemes: ["https", "http"])
        oauth = OAuthSpec(
            tokenURL: url?.text ?? "", clientID: inner.requiredString("client_id"), scopes: inner.strings("scopes", default: []),
            grant: inner.choice("grant", default: .clientCredentials), authentication: inner.choice("auth", default: .basic))
        if let url, url.userInfo != nil { inner.report("token_url", found: "a URL", expected: "one without user and password") }
    }

    /// Rules of a destination that hold for its token endpoint as well.
    func checkNetwork(_ section: ConfigSection, allowsPrivate: Bool, allowsPlain: Bool) {
        guard let oauth, let url = AbsoluteURL(oauth.tokenURL) else { return }
        let inner = section.section("oauth")
        if url.scheme == "http", !(allowsPlain && allowsPrivate) {
            inner.report(
                "token_url", found: "http://",
                expected: "https://; plain http only outside production, with private_network and allow_plain_http")
        }
        let kind = NetworkKind(host: url.host)
        if kind == .forbidden || kind == .inside && !allowsPrivate {
            inner.report("token_url", found: url.host, expected: "a public host, or private_network: true at the destination")
        }
    }
}

extension HMACSpec {
    fileprivate func check(_ section: ConfigSection) {
        if !HeaderSyntax.isName(header) || HeaderHygiene.isFraming(header.lowercased()) {
            section.report("header", found: header.isEmpty ? "nothing" : header, expected: "the header the signature goes into")
        }
        if template.ranges(of: "{signature}").count != 1 || !HeaderSyntax.isValue(template) {
            section.report("value", found: template, expected: "a text with {signature} once, such as \"sha256={signature}\"")
        }
        if let timestampHeader, !HeaderSyntax.isName(timestampHeader) || HeaderHygiene.isFraming(timestampHeader.lowercased()) {
            section.report("timestamp_header", found: timestampHeader, expected: "the header the timestamp goes into")
        }
        if content == .timestampAndBody, timestampHeader == nil, !template.contains("{timestamp}") {
            section.report(
                "timestamp_header", found: "nothing",
                expected: "the header the timestamp goes into, or {timestamp} in `value`: the receiver has to know it")
        }
    }
}
