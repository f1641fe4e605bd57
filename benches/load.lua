-- What wrk sends, and the one line of JSON that it prints of the outcome.
--
-- wrk ... URL -- KIND [ARGUMENT ...], where KIND is one of the names in `kinds`.

local kinds = {}

-- The same path again and again: PATH [HEADER VALUE [HEADER VALUE]]
function kinds.get(path, header, value, other, other_value)
  local all = headers(header, value)
  if other then all[other] = other_value end
  local text = wrk.format("GET", path, all)
  return function() return text end
end

-- The same body again and again: PATH BODY HEADER VALUE
function kinds.post(path, body, header, value)
  local all = headers(header, value)
  all["Content-Type"] = "application/json"
  local text = wrk.format("POST", path, all, body)
  return function() return text end
end

-- Every line of a file in turn, as the value of a header: PATH HEADER FILE
function kinds.get_as_each(path, header, file)
  local texts = {}
  for value in io.lines(file) do
    texts[#texts + 1] = wrk.format("GET", path, headers(header, value))
  end
  local at = 0
  return function()
    at = at % #texts + 1
    return texts[at]
  end
end

-- A number from 1 to COUNT in place of `{id}`: METHOD PATH COUNT HEADER VALUE
function kinds.by_id(method, path, count, header, value)
  local before, after = path:match("^(.*){id}(.*)$")
  local all, most = headers(header, value), tonumber(count)
  return function()
    return wrk.format(method, before .. math.random(most) .. after, all)
  end
end

-- A new user each time: SERIES HEADER VALUE; no address comes twice, whatever the series before it was.
function kinds.new_users(series, header, value)
  local all, made = headers(header, value), 0
  all["Content-Type"] = "application/json"
  return function()
    made = made + 1
    local email = "new-" .. series .. "-" .. made .. "@example.com"
    local body = '{"email": "' .. email .. '", "name": "New User", "max_concurrent_bots": 2}'
    return wrk.format("POST", "/admin/users", all, body)
  end
end

-- Batches of new segments, for one bot after the other: FILE of "TOKEN SESSION" lines, SERIES, SIZE; no segment comes
-- twice, whatever the series before it was.
function kinds.segments(file, series, size)
  return new_batches(file, series, size, of_ada)
end

-- The same without a speaker.
function kinds.segments_without_speaker(file, series, size)
  return new_batches(file, series, size, function() return "" end)
end

-- The same, half of them drafts, each of the speaker of another one of the batch: the next batch of the bot withdraws all
-- of them.
function kinds.drafts(file, series, size)
  return halves(file, series, size, '"completed": false, ')
end

-- The same by the same speakers, and no drafts.
function kinds.no_drafts(file, series, size)
  return halves(file, series, size, '"completed": true, ')
end

-- One body again and again, for the first bot: a segment and so many blanks that it has this number of bytes: FILE of
-- "TOKEN SESSION" lines, BYTES
function kinds.uploads(file, bytes)
  local token, session = io.open(file):read("*l"):match("^(%S+) (%S+)$")
  local body = '{"uid": "' .. session .. '", "segments": [{"start": 1, "end": 2, "text": "Good morning."}]}'
  local fields = headers("Authorization", "Bearer " .. token)
  fields["Content-Type"] = "application/json"
  local padded = body .. string.rep(" ", tonumber(bytes) - #body)
  local text = wrk.format("POST", "/bots/internal/segments", fields, padded)
  return function() return text end
end

-- The same ten segments of each bot again and again, with other words each time, as while somebody speaks.
function kinds.changed_segments(file, series, size)
  local batch = batches(file, size, of_ada)
  local made = 0
  return function()
    made = made + 1
    return batch(made, series * 200000, made)
  end
end

-- What says that a segment is Ada's.
function of_ada()
  return '"speaker": "Ada", '
end

-- New segments by size / 2 speakers; what is said of the second half, which has one segment of each speaker.
function halves(file, series, size, of_second_half)
  local half = tonumber(size) / 2
  return new_batches(file, series, size, function(n)
    local speaker = string.format('"speaker": "Speaker %d", ', (n - 1) % half)
    return speaker .. (n > half and of_second_half or '"completed": true, ')
  end)
end

-- New segments in each batch; `members` gives what is said of the segment with this number in its batch.
function new_batches(file, series, size, members)
  local batch = batches(file, size, members)
  local made = 0
  return function()
    made = made + 1
    return batch(made, series * 200000 + made, made)
  end
end

-- A function that gives a batch for the bot whose turn it is: that begins so many tenths of a second later, with words
-- that have this number. Times have seven digits before the point, so that all bodies are equally long and the head of a
-- request is made once.
function batches(file, size, members)
  local segments, bots, count = {}, {}, tonumber(size)
  for n = 1, count do
    segments[n] = '{"start": %.3f, "end": %.3f, ' .. members(n) .. '"language": "en",'
      .. ' "text": "these are the words of one segment and its number is %07d"}'
  end
  local all = table.concat(segments, ", ")
  for line in io.lines(file) do
    local token, session = line:match("^(%S+) (%S+)$")
    local fields = headers("Authorization", "Bearer " .. token)
    fields["Content-Type"] = "application/json"
    local body = '{"uid": "' .. session .. '", "segments": [' .. all .. ']}'
    local numbers = {}
    for n = 1, 3 * count do numbers[n] = 1000000 end
    local whole = wrk.format("POST", "/bots/internal/segments", fields, string.format(body, unpack(numbers)))
    bots[#bots + 1] = whole:match("^(.-\r\n\r\n)"):gsub("%%", "%%%%") .. body
  end
  local numbers = {}
  return function(turn, tenths, number)
    local at = 1000000 + tenths * 0.1
    for n = 1, count do
      numbers[3 * n - 2], numbers[3 * n - 1], numbers[3 * n] = at + n * 0.01, at + n * 0.01 + 0.01, number * 10 + n
    end
    return string.format(bots[turn % #bots + 1], unpack(numbers))
  end
end

function headers(header, value)
  local all = { Host = wrk.headers["Host"] }
  if header then all[header] = value end
  return all
end

local next_request

function init(args)
  math.randomseed(1)
  next_request = kinds[args[1]](unpack(args, 2))
end

function request()
  return next_request()
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
