/** The zone files of the built-in internet, as its name servers read them. */

export const ROOT_ZONE = `
$TTL 86400
.               IN SOA  a.root.test. hostmaster.root.test. 2026010100 1800 900 604800 900
.                  NS   a.root.test.
.                  NS   b.root.test.
a.root.test.       A    192.0.2.10
b.root.test.       A    192.0.2.34
test.              NS   ns1.nic.test.
test.              NS   ns2.nic.test.
ns1.nic.test.      A    192.0.2.20
ns2.nic.test.      A    192.0.2.35
arpa.              NS   ns1.nic.test.
`;

export const TEST_ZONE = `
$ORIGIN test.
$TTL 3600
@           IN SOA  ns1.nic.test. hostmaster.nic.test. ( 2026010100 1800 900 604800 300 )
               NS   ns1.nic
               NS   ns2.nic
ns1.nic        A    192.0.2.20
ns2.nic        A    192.0.2.35
a.root         A    192.0.2.10
b.root         A    192.0.2.34
example        NS   ns1.example
example        NS   ns2.example
ns1.example    A    203.0.113.53
ns2.example    A    192.0.2.36
; a zone whose name servers are switched off
dead           NS   ns1.dead
ns1.dead       A    203.0.113.66
`;

export const ARPA_ZONE = `
$ORIGIN arpa.
$TTL 3600
@                       IN SOA  ns1.nic.test. hostmaster.nic.test. ( 2026010100 1800 900 604800 300 )
                           NS   ns1.nic.test.
80.113.0.203.in-addr       PTR  www.example.test.
180.113.0.203.in-addr      PTR  img.example.test.
53.113.0.203.in-addr       PTR  ns1.example.test.
53.100.51.198.in-addr      PTR  resolver.isp.test.
`;

export const EXAMPLE_ZONE = `
$ORIGIN example.test.
$TTL 300
@        IN SOA  ns1 hostmaster ( 2026010100 1800 900 604800 60 )
            NS   ns1
            NS   ns2
            A    203.0.113.80
            MX   10 mail
            TXT  "v=spf1 -all"
ns1         A    203.0.113.53
ns2         A    192.0.2.36
www         A    203.0.113.80
img         A    203.0.113.180
mail        A    203.0.113.25
home        CNAME www
_http._tcp  SRV  10 5 80 www
; a server that is switched off, one behind a firewall that drops everything, and an address that nobody routes
down        A    203.0.113.99
silent      A    203.0.113.98
nowhere     A    192.88.99.1
; a loop of aliases
loop        CNAME loop2
loop2       CNAME loop
; more text than fits into a UDP answer
big         TXT  ( "${'all work and no play makes a dull zone. '.repeat(6)}"
                   "${'the answer to this comes over TCP, and only so. '.repeat(5)}"
                   "${'three strings of about two hundred bytes each, '.repeat(5)}"
                   "${'five would do, six are certain to be truncated. '.repeat(5)}"
                   "${'if you read this, the fallback to TCP has worked. '.repeat(5)}"
                   "${'the end of it, and of this zone too, by the way. '.repeat(5)}" )
`;
