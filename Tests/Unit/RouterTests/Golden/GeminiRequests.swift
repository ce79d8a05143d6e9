import RouterService

/// What Gemini requests look like on the wire.
extension GeminiGolden {
    static let requests: [GoldenRequest] = [
        .init(
            chat: "plain", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}
                """#),
        .init(
            chat: "sampling", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"temperature":1.5,"topP":0.9,"topK":40,"maxOutputTokens":100,"seed":7,"presencePenalty":0.5,"frequencyPenalty":-0.5}}
                """#),
        .init(
            chat: "probabilities", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                refused: logprobs=true cannot be sent to this model: its provider speaks the Gemini dialect, which has no such thing.
                """#),
        .init(
            chat: "system in the middle", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"systemInstruction":{"parts":[{"text":"One."},{"text":"Two."}]},"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"b"}]},{"role":"user","parts":[{"text":"c"}]}],"generationConfig":{"stopSequences":["END"]}}
                """#),
        .init(
            chat: "images", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Which?"},{"fileData":{"mimeType":"image/png","fileUri":"https://x.example/a.png"}},{"inlineData":{"mimeType":"image/jpeg","data":"QUJD"}},{"inlineData":{"mimeType":"image/webp","data":"REVG"}}]}]}
                """#),
        .init(
            chat: "documents", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"application/pdf","data":"JVBERg=="}},{"text":"Notes\n\nPlain words."},{"text":"Sum up."}]}]}
                """#),
        .init(
            chat: "sound", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"audio/wav","data":"UklGRg=="}},{"text":"Who?"}]}]}
                """#),
        .init(
            chat: "tools", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"tools":[{"functionDeclarations":[{"name":"weather","description":"Tells.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}},{"name":"clock","parametersJsonSchema":{"type":"object","properties":{"zone":{"type":["string","null"]}},"additionalProperties":false}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["clock"]}}}
                """#),
        .init(
            chat: "one tool at a time", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"tools":[{"functionDeclarations":[{"name":"weather","description":"Tells.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}
                """#),
        .init(
            chat: "parallel calls and results", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Weather and time?"}]},{"role":"model","parts":[{"text":"Let me look."},{"functionCall":{"name":"weather","args":{"city":"Oslo"}}},{"functionCall":{"name":"clock","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"weather","response":{"output":"rain"}}},{"functionResponse":{"name":"clock","response":{"error":"it stands still"}}},{"text":"So?"}]}],"tools":[{"functionDeclarations":[{"name":"weather","description":"Tells.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}},{"name":"clock","parametersJsonSchema":{"type":"object","properties":{"zone":{"type":["string","null"]}},"additionalProperties":false}}]}]}
                """#),
        .init(
            chat: "results with images", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Draw."}]},{"role":"model","parts":[{"functionCall":{"name":"draw","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"draw","response":{"output":"Done:"}}},{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]}]}
                """#),
        .init(
            chat: "schema", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}}}
                """#),
        .init(
            chat: "JSON mode", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"responseMimeType":"application/json"}}
                """#),
        .init(
            chat: "effort", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"temperature":0.2,"maxOutputTokens":20000,"thinkingConfig":{"thinkingBudget":8192}}}
                """#),
        .init(
            chat: "budget", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":8000,"thinkingConfig":{"thinkingBudget":3000,"includeThoughts":true}}}
                """#),
        .init(
            chat: "no reasoning", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":100,"thinkingConfig":{"thinkingBudget":0}}}
                """#),
        .init(
            chat: "signatures of all", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"functionCall":{"name":"clock","args":{}},"thoughtSignature":"sig-g"}]},{"role":"user","parts":[{"functionResponse":{"name":"clock","response":{"output":"noon"}}}]}]}
                """#),
        .init(
            chat: "OpenAI members", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":50}}
                """#),
        .init(
            chat: "Anthropic members", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":1000,"thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}}}
                """#),
        .init(
            chat: "Responses members", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":30000,"thinkingConfig":{"thinkingBudget":24576,"includeThoughts":true}}}
                """#),
        .init(
            chat: "unknown member", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                refused: The member 'web_search_options' cannot be sent to this model: its provider speaks the Gemini dialect, into which this is not translated.
                """#),
        .init(
            chat: "several choices", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"candidateCount":2}}
                """#),
        .init(
            chat: "cache marks", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"systemInstruction":{"parts":[{"text":"Long."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"tools":[{"functionDeclarations":[{"name":"weather","parameters":{"type":"object"}}]}],"generationConfig":{"maxOutputTokens":100}}
                """#),
        .init(
            chat: "raw parts", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                refused: A content part of type 'search_result' cannot be sent to this model: its provider speaks the Gemini dialect, into which this is not translated.
                """#),
        .init(
            chat: "prefill", dialect: .gemini, model: "gemini-2.5-flash",
            expected: #"""
                /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"List."}]},{"role":"model","parts":[{"text":"1. "}]}]}
                """#),
        .init(
            chat: "effort", dialect: .gemini, model: "gemini-3-pro",
            expected: #"""
                /v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"temperature":0.2,"maxOutputTokens":20000,"thinkingConfig":{"thinkingLevel":"high"}}}
                """#),
        .init(
            chat: "effort", dialect: .gemini, model: "gemini-2.0-flash",
            expected: #"""
                /v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse
                {"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"temperature":0.2,"maxOutputTokens":20000}}
                """#),
        .init(
            chat: "plain", dialect: .gemini, model: "tunedModels/x",
            expected: #"""
                refused: The model 'tunedModels/x' cannot be asked: its provider takes the name in a path, where this one has no place.
                """#),
    ]
}
