import RouterService

/// What OpenAI requests look like on the wire.
extension OpenAIGolden {
    static let requests: [GoldenRequest] = [
        .init(
            chat: "plain", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "sampling", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],"temperature":1.5,"top_p":0.9,"presence_penalty":0.5,"frequency_penalty":-0.5,"seed":7,"max_tokens":100,"stream":true,"user":"anna","stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "probabilities", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"logprobs":true,"top_logprobs":2,"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "system in the middle", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"system","content":"One."},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"developer","content":"Two."},{"role":"user","content":"c"}],"stop":["END"],"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "images", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":[{"type":"text","text":"Which?"},{"type":"image_url","image_url":{"url":"https://x.example/a.png","detail":"low"}},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,QUJD"}},{"type":"image_url","image_url":{"url":"data:image/webp;base64,REVG"}}]}],"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "documents", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":[{"type":"file","file":{"filename":"Report 1.pdf","file_data":"data:application/pdf;base64,JVBERg=="}},{"type":"text","text":"Notes\n\nPlain words."},{"type":"text","text":"Sum up."}]}],"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "sound", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}},{"type":"text","text":"Who?"}]}],"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "tools", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"weather","description":"Tells.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}},{"type":"function","function":{"name":"clock","parameters":{"type":"object","properties":{"zone":{"type":["string","null"]}},"additionalProperties":false},"strict":true}}],"tool_choice":{"type":"function","function":{"name":"clock"}},"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "one tool at a time", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"weather","description":"Tells.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}],"tool_choice":"required","parallel_tool_calls":false,"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "parallel calls and results", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Weather and time?"},{"role":"assistant","content":"Let me look.","tool_calls":[{"id":"functions.weather:0","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}},{"id":"call_b","type":"function","function":{"name":"clock","arguments":""}}]},{"role":"tool","tool_call_id":"functions.weather:0","content":"rain"},{"role":"tool","tool_call_id":"call_b","content":"it stands still"},{"role":"user","content":"So?"}],"tools":[{"type":"function","function":{"name":"weather","description":"Tells.","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}},{"type":"function","function":{"name":"clock","parameters":{"type":"object","properties":{"zone":{"type":["string","null"]}},"additionalProperties":false},"strict":true}}],"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "results with images", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Draw."},{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"draw","arguments":"{}"}}]},{"role":"tool","tool_call_id":"t1","content":"Done:"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]}],"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "schema", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"response_format":{"type":"json_schema","json_schema":{"name":"city","strict":true,"schema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}}},"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "JSON mode", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"response_format":{"type":"json_object"},"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "effort", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"temperature":0.2,"max_tokens":20000,"reasoning_effort":"medium","stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "budget", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"max_tokens":8000,"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "no reasoning", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"max_tokens":100,"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "signatures of all", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"clock","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"noon"}],"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "OpenAI members", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"stream":true,"max_completion_tokens":50,"verbosity":"low","metadata":{"a":"b"},"prompt_cache_key":"k","logit_bias":{"1":2},"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "Anthropic members", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"max_tokens":1000,"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "Responses members", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"max_tokens":30000,"stream":true,"verbosity":"low","stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "unknown member", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"stream":true,"web_search_options":{},"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "several choices", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"Hi"}],"n":2,"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "cache marks", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"system","content":"Long."},{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}],"max_tokens":100,"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "raw parts", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                refused: A content part of type 'search_result' cannot be sent to this model: its provider speaks the OpenAI chat dialect, into which this is not translated.
                """#),
        .init(
            chat: "prefill", dialect: .openai, model: "gpt-4.1",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-4.1","messages":[{"role":"user","content":"List."},{"role":"assistant","content":"1. "}],"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "effort", dialect: .openai, model: "gpt-5-mini",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-5-mini","messages":[{"role":"user","content":"Hi"}],"temperature":0.2,"max_tokens":20000,"reasoning_effort":"medium","stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "signatures of all", dialect: .openai, model: "deepseek-chat",
            expected: #"""
                /v1/chat/completions
                {"model":"deepseek-chat","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"clock","arguments":"{}"}}],"reasoning_content":"as chat"},{"role":"tool","tool_call_id":"c1","content":"noon"}],"stream":true,"stream_options":{"include_usage":true}}
                """#),
        .init(
            chat: "sampling", dialect: .openai, model: "gpt-5-mini",
            expected: #"""
                /v1/chat/completions
                {"model":"gpt-5-mini","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],"temperature":1.5,"top_p":0.9,"presence_penalty":0.5,"frequency_penalty":-0.5,"seed":7,"max_tokens":100,"stream":true,"user":"anna","stream_options":{"include_usage":true}}
                """#),
    ]
}
