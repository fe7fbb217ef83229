-- What wrk sends, and its counts as one line of JSON. Arguments after "--": METHOD BODY-BYTES HOSTS PATHS. With HOSTS, requests go
-- to hosts and paths of a large table, two thousand of them in turn; else one request is made once, which costs wrk the least.
local requests, turn = {}, 0

function init(args)
  wrk.method = args[1]
  local bytes, hosts, paths = tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  if bytes > 0 then wrk.body = string.rep("x", bytes) end
  if hosts == 0 then return end
  for index = 1, 2000 do
    local host = (index * 7919) % hosts
    requests[index] = wrk.format(nil, "/path-" .. (index % paths) .. "/page", { Host = "host-" .. host .. ".example.com" })
  end
  request = function()
    turn = turn % #requests + 1
    return requests[turn]
  end
end

function done(summary)
  local errors = summary.errors
  io.write(string.format('\n{"requests":%d,"bytes":%.0f,"microseconds":%.0f,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.bytes, summary.duration, errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
