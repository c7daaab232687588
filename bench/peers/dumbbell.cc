// The dumbbell of bench/dumbbell.ts for ns-3: FLOWS pairs of hosts, each on a link of its own, two routers, and one
// slow link between them. Prints packet-hops, seconds of real time, and goodput in Mbit/s.
//   dumbbell FLOWS MEGABITS QUEUE_PACKETS SECONDS
#include <chrono>
#include <iostream>

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/traffic-control-module.h"

using namespace ns3;

static uint64_t hops = 0;
static void arrived(Ptr<const Packet>) { hops++; }

int main(int argc, char **argv) {
  const int flows = std::atoi(argv[1]);
  const std::string rate = std::string(argv[2]) + "Mbps";
  const std::string queue = std::string(argv[3]) + "p";
  const double seconds = std::atof(argv[4]);
  Config::SetDefault("ns3::TcpL4Protocol::SocketType", StringValue("ns3::TcpNewReno"));
  Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
  Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(1 << 20));
  Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(1 << 20));
  Config::SetDefault("ns3::TcpSocket::InitialCwnd", UintegerValue(10));
  Ipv4GlobalRoutingHelper routing;
  PointToPointHelper access, middle;
  access.SetDeviceAttribute("DataRate", StringValue("10Gbps"));
  access.SetChannelAttribute("Delay", StringValue("10us"));
  middle.SetDeviceAttribute("DataRate", StringValue(rate));
  middle.SetChannelAttribute("Delay", StringValue("10ms"));
  middle.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue(queue));
  access.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue("1000p"));

  NodeContainer routers, left, right;
  routers.Create(2);
  left.Create(flows);
  right.Create(flows);
  InternetStackHelper stack;
  stack.InstallAll();
  TrafficControlHelper control;
  Ipv4AddressHelper addresses("10.0.0.0", "255.255.255.252");
  auto join = [&](PointToPointHelper &link, Ptr<Node> a, Ptr<Node> b) {
    NetDeviceContainer devices = link.Install(a, b);
    Ipv4InterfaceContainer made = addresses.Assign(devices);
    control.Uninstall(devices);  // the device's queue is the only one, as on a cable of ours
    addresses.NewNetwork();
    return made;
  };
  join(middle, routers.Get(0), routers.Get(1));
  ApplicationContainer sinks;
  for (int n = 0; n < flows; n++) {
    join(access, left.Get(n), routers.Get(0));
    Ipv4InterfaceContainer far = join(access, right.Get(n), routers.Get(1));
    InetSocketAddress end(far.GetAddress(0), 80);
    BulkSendHelper source("ns3::TcpSocketFactory", end);
    source.Install(left.Get(n)).Start(MilliSeconds(n));
    sinks.Add(PacketSinkHelper("ns3::TcpSocketFactory", end).Install(right.Get(n)));
  }
  routing.PopulateRoutingTables();
  Config::ConnectWithoutContext("/NodeList/*/DeviceList/*/$ns3::PointToPointNetDevice/MacRx", MakeCallback(&arrived));
  Simulator::Stop(Seconds(seconds));
  const auto start = std::chrono::steady_clock::now();
  Simulator::Run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  uint64_t bytes = 0;
  for (uint32_t n = 0; n < sinks.GetN(); n++) bytes += DynamicCast<PacketSink>(sinks.Get(n))->GetTotalRx();
  std::cout << hops << " " << took.count() << " " << bytes * 8 / seconds / 1e6 << std::endl;
}
