-- Says what the shell of Prosody 0.12 or 13 would do with a line, by letting Lua run it.
--
-- Standard input: one string of settings, then batches of a count and as many strings, each of a
-- digit for the version ("2" is 0.12, "3" is 13) and a line. Standard output: for each line two
-- strings, the outcome and the borders (`#`) of all tables among the arguments. Numbers are 32-bit
-- little-endian, a string has its length before it. An outcome is one of
--
--     help TOPIC         the built-in help
--     call VALUE...      one call, and nothing else, of a method of a global with plain values:
--                        the two names and the arguments, encoded by `encode`
--     other REASON       anything else
--
-- The settings are lines of `section:command parameters name=kind,...`: which commands have flags.

local pack, unpack, match, gmatch, gsub, sub, format, lower, rep, find =
	string.pack, string.unpack, string.match, string.gmatch, string.gsub, string.sub,
	string.format, string.lower, string.rep, string.find;
local insert, remove, concat, sort = table.insert, table.remove, table.concat, table.sort;

-- No line shall call a method of a string; nor does this file.
debug.setmetatable("", nil);

local INSTRUCTIONS = 200000; -- the longest line of the tests takes less than 40000

local flagged = {}; -- "section:command" to { parameters = number, kinds = { name = kind } }

local function read_settings(text)
	for command, parameters, flags in gmatch(text, "(%S+) (%d+) ([^\n]*)\n") do
		local kinds = {};
		for name, kind in gmatch(flags, "([%w_]+)=(%w+)") do
			kinds[name] = kind;
		end
		flagged[command] = { parameters = tonumber(parameters), kinds = kinds };
	end
end

-- Appends the borders of the tables in a value to `borders`; raises an error for what is no data.
local function encode(value, borders)
	local kind = math.type(value) or type(value);
	if kind == "nil" then return "n"; end
	if kind == "boolean" then return value and "t" or "f"; end
	if kind == "integer" then return pack("<c1i8", "i", value); end
	if kind == "float" then return pack("<c1d", "d", value); end
	if kind == "string" then return pack("<c1s4", "s", value); end
	if kind ~= "table" or getmetatable(value) then
		error("an argument that is no data", 0);
	end
	insert(borders, #value);
	local keys, values = {}, {};
	for key, item in next, value do
		local encoded = encode(key, borders);
		insert(keys, encoded);
		values[encoded] = item;
	end
	sort(keys);
	local parts = {};
	for _, key in ipairs(keys) do
		insert(parts, key);
		insert(parts, encode(values[key], borders));
	end
	return pack("<c1I4", "T", #keys) .. concat(parts);
end

-- A value that allows nothing but what `allowed` has: each other use of it raises an error.
local function guarded(allowed)
	local metatable = {};
	for event in gmatch("add sub mul div mod pow unm idiv band bor bxor bnot shl shr concat len eq "
		.. "lt le index newindex call close tostring", "%l+") do
		metatable["__" .. event] = allowed[event] or function ()
			error("something else than a call: " .. event, 0);
		end;
	end
	return setmetatable({}, metatable);
end

-- Runs a function compiled for `environment_of` and returns what it called.
local function recorded(compile, flags)
	local globals, indexes, calls, call = 0, 0, 0, nil;
	local result = guarded({});
	local section_name, section, command_name;
	local command = guarded({ call = function (_, self, ...)
		calls = calls + 1;
		if self ~= section then error("not a method call", 0); end
		call = table.pack(...);
		return result;
	end });
	section = guarded({ index = function (_, key)
		indexes = indexes + 1;
		command_name = key;
		return command;
	end, eq = rawequal });
	local environment = guarded({ index = function (_, name)
		globals = globals + 1;
		section_name = name;
		return section;
	end });

	local run, err = compile(environment);
	if not run then return "other " .. err; end
	debug.sethook(function () error("too long", 0); end, "", INSTRUCTIONS);
	local returned = table.pack(pcall(run, flags));
	debug.sethook();
	if not returned[1] then return "other " .. tostring(returned[2]); end
	if globals ~= 1 or indexes ~= 1 or calls ~= 1 then return "other not one call"; end
	if returned.n ~= 2 or not rawequal(returned[2], result) then
		return "other not the result of the call";
	end

	local borders = {};
	local ok, encoded = pcall(function ()
		local parts = { encode(section_name, borders), encode(command_name, borders) };
		for i = 1, call.n do
			insert(parts, encode(call[i], borders));
		end
		return concat(parts);
	end);
	if not ok then return "other " .. encoded; end
	return "call " .. encoded, concat(borders, " ");
end

-- Takes the flags out of the words of a command line, as 13 does it for shell commands: flags
-- among the arguments, unknown ones refused. Returns a table of both, or nil.
local function parse_flags(words, kinds)
	local parsed, i = {}, 0;
	while true do
		i = i + 1;
		local word = words[i];
		if not word or word == "--" then return parsed; end
		local dashes = match(word, "^%-%-?");
		if not dashes then
			insert(parsed, word);
		else
			local flag = sub(word, #dashes + 1);
			if #flag == 1 then return nil; end
			local name = gsub(match(flag, "^[^=]*"), "%-", "_");
			local kind = kinds[name];
			if kind == "value" or kind == "array" then
				local value = match(flag, "^=(.*)$", #name + 1);
				if not value then
					i = i + 1;
					value = words[i];
				end
				if not value then return nil; end
				if kind == "array" then
					parsed[name] = parsed[name] or {};
					insert(parsed[name], value);
				else
					parsed[name] = value;
				end
			else
				local key, value = match(flag, "^([^=]+)=(.+)$");
				if not key then
					if find(flag, "^no%-") then
						key, value = sub(flag, 4), false;
					else
						key, value = flag, true;
					end
				end
				key = gsub(key, "%-", "_");
				if kinds[key] ~= "kv" then return nil; end
				parsed[key] = value;
			end
		end
	end
end

-- What 13 makes of a table of words: Lua and a value for it, or a topic of the help.
local function command_line(line)
	local chunk = load("return " .. line, "=shell", "t", {});
	local ok, words = pcall(chunk);
	if not ok then return nil, nil, "other " .. tostring(words); end
	local section, command = words[1], words[2];
	if section == "help" then
		return nil, nil, "help " .. (match(concat(words, " "), "^help (%w+)") or "");
	end
	if not section or not command then return nil, nil, "other no command"; end
	local known = flagged[section .. ":" .. command];
	if known then
		local flags = parse_flags(words, known.kinds);
		if not flags then return nil, nil, "other wrong flags"; end
		remove(flags, 2);
		remove(flags, 1);
		local arguments = {};
		for i = 1, math.max(known.parameters, #flags) do
			insert(arguments, flags[i] and format("%q", flags[i]) or "nil");
		end
		insert(arguments, known.parameters + 1, "flags");
		return format("local flags = ...; return %s:%s(%s)", section, command, concat(arguments, ", ")),
			flags;
	end
	local arguments = "";
	for i = 3, #words do
		if sub(words[i], 1, 1) == ":" then
			arguments = arguments .. ")" .. words[i] .. "(";
		else
			local comma = (arguments == "" or find(arguments, "%($")) and "" or ", ";
			arguments = arguments .. comma .. format("%q", words[i]);
		end
	end
	return format("return %s:%s(%s)", section, command, arguments);
end

local function handle(version, line)
	if find(line, "^>") then return "other global"; end
	local word;
	if version == "2" then
		word = match(line, "^%w+") or match(line, "%p");
	else
		word = match(line, "^(%w+) ") or match(line, "^%w+$") or match(line, "%p");
	end
	if word == "help" or lower(line) == "help" then
		return "help " .. (match(line, "^help (%w+)") or "");
	end
	local source, flags, outcome;
	if version == "3" and find(line, "^{") then
		source, flags, outcome = command_line(line);
		if outcome then return outcome; end
	end
	return recorded(function (environment)
		local chunk, err = load(source or "return " .. line, "=console", nil, environment);
		if not chunk and not source then
			chunk, err = load(line, "=console", nil, environment);
		end
		return chunk, err;
	end, flags);
end

local function read_number()
	local bytes = io.read(4);
	return bytes and (unpack("<I4", bytes));
end

local function read_string()
	return io.read(read_number());
end

read_settings(read_string());
for count in read_number do
	local requests, answers = {}, {};
	for i = 1, count do
		requests[i] = read_string();
	end
	for i = 1, count do
		local ok, outcome, borders = pcall(handle, sub(requests[i], 1, 1), sub(requests[i], 2));
		answers[i] = pack("<s4s4", ok and outcome or "other " .. tostring(outcome), borders or "");
	end
	io.write(concat(answers));
	io.flush();
end
