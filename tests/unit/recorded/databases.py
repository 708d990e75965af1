# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases that engines wrote: zlib, base85.

BOLT_STATE: libpod/bolt_state.db of podman 4.3.1 with a container C(pweb) and a pod C(shop) of an infra container and
C(pw). META: meta.db of containerd 1.6.20 with C(plain-1) and C(from-image) in the namespace C(nsfleet).
"""

from __future__ import annotations

import base64
import zlib


def unpacked(text: str) -> bytes:
    """The file."""
    return zlib.decompress(base64.b85decode("".join(text.split())))


BOLT_STATE = """
c-rk<O>7*=b>>Ri)voPbujRGlwVh-=ry$^v-97y`1O%)?X?JN$ltOWL{R3fK-CaFwtEaow)kBI_ltbVk0Sx#Q<dmxe1TcaeoFJ!Mg8)G;2@J$112K?XY
#{d>@?KT-
&x|yrB#uO_{63JZ_o}L^tLx|0?|WQXQ8=gFU;X?uzdD1&n~HyBWfteP`;K;P?f%nS!|(j)Z?67mg+L$>2m}IwKp+qZ1j2KNmyTKgpPh^U^4$7=pxr<Ii
~srw`{jk#sYD3`0)apv5C{YUfk1fvaHet3Hv0hv{JyKV0FW={_`mD$wq>z_8G4@S4IRU_%z#_26}y&W_@2Q-(~h}s@Cbt9I5wRj8%8#B9Ag-
=$o8xYbNTUX#|cc&AD9k285o@V%;Z)Sg}!U~=3r>so*NHcJ`6+8wJa+(!^kp1%Z>(t8@ZpFOOLrGygW8o?7Q*6vkl+zZ8NX}%Z(W~!XS*i(Dh=+@#7&k
O`k#DecQJJKQ`ld@I`7O1OkCTAP@)y0)aqy0dTfi|G&|!|9=6$ufp%|y`=94oKg4wD;<6tcwA?{qxnBQqtdDO2mbtwx=&Dt{}u4Bb@;yr{;dxGpTK__+
&|Lqy8#cs-r@h{Wffk>|K-
cG@B44yG56oq@vod$;dT6Po^PLLY1$8~QY_vNX>UB#`yllmNuc@quEbwz{=yRWL5hQu?tBynJUHoY$G~w7lZ8&qte~G{amk>(ZsgGs#r0A{zu76CZbF{
x1dbOD0?RT2%kx4f2)Gy7kntdlLuU9x+l#rwLwguHmc<$K#9m&&t3S%q>4b~pHm{&U&&&n!yF5JZF@86x`e7dNM~>L9k_qpNicN~+o=Kv9$;XMP%EQG`
&o%VBb8V}dYkPk^7yk23+gnCqzo_juV^Cp_TM-wui}({=2{r#yT?sY+KOO!d-RFcKR2-
bVVt8=Us=)?w(ngkvN2mscB9C613o56X?0R9I#mRVa0_PhVJLu;+VRu&4p!K%qf1qDjUue6h2fZ(8{)a2=Acy$ziW&sJ)M*DesC*56$0aNF`cawe^Rka
EPI;7hUajx5a=n@q>pUCxP1p5}^<o_Za*-
z4^e%kZ5%H!O$eJn%`%zLZOldt$0w^*FS{M!ZeJM)&1*`TJr=%hYaE_}Zo!rqwDS<#B5D0|l66faDz0dmm|Bbo)(D^@sKp+qZ1OkCTAP@-
4M}7S9=F00c`vJAxzxqI>UZ;PyiLX!}v3yy(U(xPYwfo!J{T=Q8E)_X}Kp+qZ1OkCTAP@-
89Q8V%?*G^2K==PYiTD4{%>~i@f4cuq_y6hse*?PzPxt=`1OkCTAV{2V7H_Z54BGW7xSk%>cKSZA-M6&+1?|%LKY>6X5C{YUfj}S-
2+uEG)$aVcH{J`lct)L{hx)w#KXkZxR_zP?1BS^1nR~q?>TUE+dPdY+?cwPOq=Y9<z@;qUspxIoyT95C$7Mb(Zm^PP6~xe|9-~5etimHeiA@=+w^5Z-
Ui)no;jG6tuVy_ytVHdx$HW$%+|_(oa#nHtI?J%!zG?O?bJrSd44e(qTJt^MwQX-W_%`HVQ%2p)Cli*z1K;UE{(yv#zC7arV&Tz?iZsoRj5k$jfq#^gi
(&y^Cx%C67;P%bbrB>PrVxS$<f~VInT#t-eYGxi;CXeBm$$J#@=QgM$C>?P!p6v_dC1beTvY1?n+o0!g5Isw-
j%yabt6xc@DPd%T1J&*Qyu&E*5%%Yx!T*|BA=EaznV;vO4jUsjL4FVA9a${o+Z7rGJ7z-v$D)f7|TC^#sfTluW7y2-
UDrSeF@!0HrdU(AhE1_C;gP(eUgp@0)apv5C{aqi-p&kC6>C#jeqNl+~}TkZSpD=F@ZoJ5C{YUfj}S-
2&axuHS7Pg%?*J1{QsX<)qcRQ!2Qfhs|xvAU!DK|>|A^PFA5&^HtzNEF!_j=BFVGfM$cR`)~tTS_wmfR%tJ2l#J4vUyp%3p8ZcISW9i;s?Xhw!@Z5YI&
#FbrIi5xjT*EN%beU)S7<l8-?gtm;k+wX9mIvD#9ll}P07)no{y>_$S9Y#lyj$^dg6H7%vFSy9UJvgI5Aei)9Ya~cf+S6<gv-na`811?Y>ZjiymVu<`N
8#%xAE{F=*yQjN7p~Pva_>w`HJ>>4??f()XdE*yIYqv^Np>mS2ekPWq0%kTicgMH?Qn`w6$433$fn=x8>e%9tP&dOwfmI(6??vrgpAh-
|gLkGA&bm(*B)$z3Q;Q%N09Ux2|pNj<&DAw{;cYwZ}^MTGO!X)t<=XO40XMA9&!#&h^d3@#Wj_`T~?vp$@u{jYSUvCQxiT7ZDd#lCes)k#%eskf?r@=F
}yDmd^`}E*nRd3v4)eH360UC4o)s7G`)ZZPoO2($%DZymZp8J&sIVRAmyP60W=<F@aZI^c)8RlJE12uHy{c+l$`4UR0ueKX@p<$w1?C^yl$|1oeQk5OY
vele;n(hU>a@jtti_da@&3bQWf2a%alrbqt-KhHvuI_&i~8i^I<60yA6OwZ|hQjtyzi8`fj7u5MGb?`rtwWsOhgZDmm=`|8Te5ijOxUD+}ZAPiWR<rUM
(-0LOz+U;q;%ZyiCtc7LL&)0T$zXdOiSt{^Bh@nKuTIbO<Hm&lKPx5`t-+Py?-n_CfYLX?@v61j=l9Z3-
<)mYxPJ=WNdwrIsO<d@dQUe`735qqWQl#Lc){<i1UMoPxjbtH?N|uc=&&E3jK2_=~JhCvL&=N^P$A;ANgWiTL1t_&p$@^Y;FzI127D*%@kpii=VHvi6|
Gv8MB??w2Qp*9TosI;mFC=xmk|OM~(@Jz%DR1O!1rNh~QmD+vY?@Y=LfxEhZeF`Fy0p1F0+GFa9ZF9}xKfr`zJr&<20o5T;a*blu$q=KkNUBl%@0Q3^x
ctb!-
F$kv;4rq0R>AK%13>p{A5fih~jiA_GG<{iZL{(eV$2)a2uQDD2DnSr8$clAI(gXaS1JXRIo7@QVQ(1Oco0mVfV2{fk~v;$kQmst4NAWTM~Yz`uZ1;t$*
!VgozsCM@b$qG3!-wnVZ(*piE@{67Ve(Ch!Is<fS1GSb?K0zguZ8kK>xcak&-
|FhfX_KoO;^k~or_%HIA&7BV`JQ%Q*;#Sg{ay0CV6Q>`Ypl%^I&P%oTg21g)k;nh&rJ=K7VmauzGn+78K9tw%ONTy6qBVcBMSqbE|IhZv-2`EA+Vo%-
K3-
>1K_T657kku}<5uosz+(@T9&&yV(d?4Xc)^nE~Js4>w8O?WMWDJC$o@34V%p{ia+8roD@Y>aqK~AAERcK*e9I9s9gyA(q>|0VC!(U4|m>MtgG#xb;5xc
C}^0FN_^hi~?;)?^8RI{Aburp!E)Q@5(i#wEj1bWv#ZwQ%XwELr-Q9Yi-stw5ShPEUV?I%JNTSJdDo8sJ5eq#)UTqW`0Xu@PmiR*?D*DXU4>IHQxiQ8t
PNFAKXvXQQO6FkSnp}gf8L!IAcRV5P#@!w&fw$W8rJYzK|HK9WFWl45Y5K5#Xl^0xQN)(AoNcT(Ws(c{TrDeC)l=juRtngB*E}NQGF{YL5VA5@yB(OlL
3V<&hP57ixcTN>w<^jlw5q_}tsrFD#jTrn@K4CG{#6hHpNQ>Q?ly5?LJWisPlI4%|wDFy`zD?9lOxbEgm##w+{EAZ11&7&$61T`T2^HhA&{X5qQe~2Zw
AG&ty)DWon&zTOLece0ftz+hI+<6?1Wiwcy5$SBsG|#LGi@G`%L^U9s^j1%<<JCmo|;#6-
cvWHME3#~MbI^?aIfPhXFs#7+2PAc`$RqpabBD%8YhcoeyEu4XbLPeW!Zm`oCfM!lU&J`B*(%WDT%EaCAD#qfkW@1ig-IoQ+X{ti?nc#M&&f+T|Xthq_
;|=2`RZ+OhDQx4tr_cyVJIJr=2o_>Dg`V$kvWcT6Vl{XHI9B*{)m<YiXw+*F%5W^wo(HR!HeF47yan$}*Ad6PP$^Wwc^pQdP>2n<QBXvs$EXD>)`z`HI
QyObRsVDjzL*q-)g#lZ85&utGaBL`xg#Vr}UB%b89S2+PAt4Lp-OSbv>(cSfqcC|Zjwps<lfB@cNb#r>R5D`)Be!Bv@b*qKPvOxM!{3SWJK7^~(2glbb
jl;OT2gi20}zX?39%S2JSFs7MG3%lH?%13+Hi1<jBVt3?*35%Asa;+mj5}gtBZ?5SkObt}>#(q!E$Dt-
6gK{WToK8V8@>4}J&R8n_3a%ZQO0u7$u$Afx1@w@S9OP;yR<D<Ir<QOiMyKnxrCF4!+zOP}+6SophLA5-
qDlwLO{EbOeaiLZRD11DM(wkWmz<wUKQ+yBJ7gyxAWqd{TgF#@?W2ma<YH0If6-xkEv-
5NQo3o>q^yZLTO|)v=|R)m*G^nYA&%q(+DeCPb0>Xt7&H<!+p6dOvjU*xT4XCizh03l|Il_y=w51df<6<SdBN|XQ(*(pQ|g+9HX?Vx8Xn45&+wIp+(t;
UIB$GFSWL?{1u+$c>Q;)EJxfp5=6pKe4fJ>}brJ4y*@j2;a0v6Ny9)y3)?X9A;uuGk!x=wSYz<$ql1;iEk^srx#wttsmIPKc<-
Y7F5A|<9Lj{Y6WI)ViK+I=AJS+o;3750ldYy}uUcm@HQ5^~hC5V8?Rg{S=;W?(0OI1DSVEgKjO|WjDl5D6-
*2>(pOgu0x6Aw(wq)!szkXouW7Wl+^B2$xch?LB<^`Ex>P3%tGW(p=|reLBo1p_+MF^VRM&iqQ?Y^ez-c_;N|t|eyXTB0-
85;Jox$#nv{{`DM8)blRUooR`BMkU%ARcBxqdlRPg;Oa`>n?%|}SN`6#iqwpw+o_RGD-
Z;77;5CbBIMXmleVJU{y*FKyZwBoljAqQWLrrX#S~168NF=BZB~`}dQ#G?89GY_BxT<|oM^eKDfOrtP|=xPfTE8|s*!R))dJ*Dq&a>{CC963tfzQ-
@hn?NJNZ#;1pTYSLg9kQEtPg&<292&clE7&#9Rz9A43+rrsguBM(yt7txq?B`IodlO)R-
zTYqx95Sv+tO}op3sjlm3Jq1$)w#9nKsF@HcLRQW+lZuu|=^RNnQ_Hx9ZspIk&fUIVrQ%p%YghIHB-CQ4-
gMF<^h5W6E?vEP{o~%uwok!Jkwd%2K7PbA&9T%ySb;>aBE=&skmyq`DUhK05&XUKhrRo^mi-
q0nY_gun1*LPvsd}grtEBMXb)Y_8al_n4mWy7Y7Y9SZD^85xFk(M&_3!Ta&{gZc4qWXv}qX>ad$UKubI<4zdbERQ3!4#XRy%iM{*rp&+YF_a}f1<S^(q
0ge6(6|H~`X>1{a}6`v?`;htO=JZh0BfeNd-NUf#iyr^YoIhg*Hhc){|xnp7YgoS=PloPCG*`Zg?Pn1>y^&vNofk>aQnB}&DnA_^@%6KumDI;XWCwkXD
wAb;pc(RApnE$BHTGo-m!+ls!UTtDpP0Zo(UH+(yEfOwAykPsvGG1`hw=U-
m$9@8y<>N@tBUD*emol)`ud}d7(4>H5ZtJZd&2f4BtC$pK4_SCP!Z};(tL8d-4bb(Pjiweh5f7&0j-QY(mM6eTIXO_%iTXqs4~+0IQ~Tg~cOW-bZm9)#
o~4KLpCa%oNAm($o-
}mal1X`|%|qt{fiCa#t1=mnVGVH$Pco$qjFZ}0Z*5?p<@S#81mhEAU_vJpb&X5t&*|g9!!8Dk>`chZL90CzFa1cqo_S_D&gw7XRTFvNWG)mdWhO8aams
mxrYTkz+$h>%2U}>+Vp|pX%o9m;jTLwZF0L2N(f<c9I)1oyS%=gnLeTg92Ygk$-bOY})79SlGu)+Vm465yx-FXH^49BmAq`{nZYJMXQ_L+G{}Prq{0%0
=LG&Ij%Qt$E)%S5#+p?FUD8U@Fw9Tq$-rNMfKOcxq_%g>O8}wXx+etm5F7e2Ml7=Om$P1!42pN|KC0sMIhQ8r)-
*y7qiEY!f+{kf#Ct^b$+rH@!xzBwofc_8~gSa=7q%Ql`ph#N_8z@AisJOW|xeN_*V{!9d$0b<G4*RV&k@b^y#dU0pc%ZfpOK7!_R&^k6{XiR1OVT7f&A
jzGcdJgbcy84OWj=-u4UI~ciMFvL4+}(X{N$AKs4^iZL3s%cPjxfZ#0%M@>il*u*67|T4H4yqD&;5<EKrkAb(OJ}R;mEDd9{7Bc@p}xZ0BhBCf(o6v-
p7^lpn1i2wU;~aH-W8Md~qlb%0lL;FF4*YU5_ZbQHgf^S-
IPoYz<}Lca$s8QB|_zh;|gG{^THv}B}iPhDdf8_Vxgyc`u3DX!%aro=NWiKutHd8RZUpKb#Pt8z_k^}yd<HdewC=tiyreOdkw4+y&Li@x6YgxpN>>_$>
c+(kp@Q_jB3#hTjjD4@k`%2WDjIoICmQF-GbW}oE2PaQE4H+hMdw;CT2sl}wO+vYRy$|q-
OwFlEOm{I9I)A1VR*(hd73Yi(zlTf4HE86H8hNVu7BDpblYDI{rTB=H=#JrTIm+RYWvIOo&ozZX6h3VSvl(y?6o!-
VkHWR3iQ*Prj4{P5O>a=E>9W^pN<>Ic3nKyD(vN!TX35erLXq`uXWH>H!2Uf@!%rLyz7`Pl{*T9S17#?waFR)D>3?gqZ@B(9C+P*uC%pfwnVXzJhi?Nh
V@{sFj={NL!lz#5F_4b3<YvP00HT&{s*DyBZ&$m@`#!HNb<8(xX^s#Mq8|<1Mm+z_jw>V0k@(gC3SK)fI#dBKyu(QY1WJsK9Zsf8K-
?Y}eLTVeFQkG_O0poiksX^c<68|Zmp0?v1LJ-0QcC6zXEgty7n*GRFWcQ6gAP@)y0)apv5MDsM(QIp-YxMu$)%ySc*H`-
g*4nK8|Mr>+e^>KASUXL707vWcuP(t}z+>41xb)%Wt=-YbJ6pT88vimZ1YG;Z_Vvq0TMIz%ol74t&2|73a2)fnLN$pO@7wV1O;X9t$rtR~$mRptd?1?-
&%owG^Y1oxb%r|UWe<yglVwqm-(Ai>=U9Ca%}|hK39>9fmL<rt1X-3K%MxT+f-FmrWeKt@L6#-
RvIJR{Aj=YDS%NG}kYx$7EJ2nf$g%`kmLSU#WLbhNOORy=vMh0|^#ihH@Wi$ZY|CN;GxR)E4K-}b47lZ5v1>Vo?-
@Ka?U?%pk02<HW78S3VPrGMF@_<FY|rZ2GLTDjO!TDxQM6+cVem;ciBQPhE3uasvlbGbk=X)$jyi9*pjJyJ!v&{oxZtF>1D>Ygf|JUGu72oKFc`43>^%
*G0jpip0Z9>Vi_NNB&TWv4S4&K7T8Sm5_H4`|oXiG-
vte3mL(4WS!}ZLkVFO`(DFfg5bUVeV7*SYa_J322C@ilCmuf@-dPhHrPTDb+Xo_K}P3@$n7?wHIp3D@((02k3@8FT=8If-pjz2U)n+-kNHAAQ-Zo=qbn
vv<pEby4;hA_*rhh7kPffEfM(G&v+;lY|Qu;tc@^|+=OOxGLEnqt6jS(Yh=WzWe@Vv1pTt#lct7?zuxrI=z^UY5ud1A#yw5C{YUfk1dsaAAr1|Nlz*|D
^v<`v0W=Px}9)|4;h=r2kL)|D^v<`v0W=Px}9)|4;h=r2kL)|D^v<`v0W=Px}9)|4;h=r2kL)|D^v<`v0W=Px}9)|4;h=r2kL)|D^v<`v0W=Px}9)|4;
h=r2kL)|D^v<`v0W=Px}9)|NqGP{}$>0e`56i7pO*))<0?elh!|hKp+qZ1OkCTAS@MMJVO8fEv^6m^}f>oFLn4o_Gk6~f8AI5|37<b`u}Rvt=0KIxlaG
;v33JKxPEhY`_i>57v(V>*#ICL0AvH;@ofNf_PX?OH(3QBs{k*sRe;|}6?{^*CuMt5wkKtKQnn{$ds4P1WqVS#CuMt5wkKtKQnn{$ds4P1WqVS#CuMt5
wkKtKQnn{$ds4P1WqVS#CuMt5wx3nDUxpH>I%x0eQ}tnjRI;a`d~bb%l<$?keKY-PH11mse0?y9r@xtsA`7mcOw=A~tL82DT~OKnK~4OJM0!Mxe5I8&u
aK{NUs!#7-
x>~rI5ur);(=vGwjJ@I;}7i690o(nj2(+dfx|)`Mp4M15r%GLMsDOVJ7l4Gj6Qx{2QRWV{?hW+y_j>F#dGVaSOr*O9+z(w;MS5f<Y97H9u`WcvwLT935
xN)FBRiW{{>TwUtYU76~*`^W`Ajl@v7~AQuN}NSAt8@i+`!1-_$p(QCI$?nytmb)6ldZoJ7-pscrY9n)XW{MxR*I-
W@>Q22MB(2HwDg*T=&FAB3S1FxQ7Fwqq-V=OW7-
nB4W;DD(~H3>|amIm|G;MVj^xHFpAEU^|eF$Je=c+<BdQ+kFvr?w6OBW$4^5H#bYsxnEwENavnFAP@)y0)apv5S}K!-
0VEPAzj>m`UU*Hiu(MT|6BNT9^6XvZ=YFN`4qVCXnp|vS-oS0ybJufPWab>f33rZz`xbu{|xv~gZuk0DgGyr*y|ns-_NP=I{vTE&A#t{fydl`SI58piV
Cme2d}ixvo!68Re8h?+?j@cNAJL$)BLXHFTk&7J5FGF{=jtXm<I;uJ~O!$MWGMtTXQh9ZO@H|E+2-W=USE(n_*-
bp=C#dz>VDEfCodvF<BgOC*Wpi4Fc2jY%B1bm_?Qo_yd<&%!xt=;>01dhc@@4IQECW<;BdkUFKW98*s}R4jgq{315e6<j2`w#E<JHWW{bU^dW1*81lr1
ffd19ZHu`)cJ0XG!=dYkQRqdnWqXVn!NA31RCx7Ac{-
gOZ}bz2|CPBQRMtA~F;w5`hk3*wIbt8Ts{5j1lj68%lBkdOK}A&_E{=M(p^dqg5p`My;;%d5&uL3pLY3oo)?*jjg^uBnQWw#?onou`2eW+ALcoGNX=TW
ke!`;5#3K}%LXk&r%mwKan7-QeUYx-BhQ`MKxlY)f6(zpk*8C6j3t!g!JuUvfr1>ANwBjD|;}ta=)Zsr}QR4M$@H;M9vDc5}IhVX-p*-
YP@1i~6T*w<Z@L@;9n`Y{aydNdy;@xC*t_VR3qXEA!#Z(_nRV+?PMH1i~S4TRzqX!iNfj}S-2!!VbUul+uuS@q;&A+DI&vurJE1ijCz0&!-
cHh$O7qna375pvj)|17zsmKWg0)apv5C{YUfk1fX_^Ni7VgLW%ULyPdWdEP+|C9ZHvj0!^|H=M8+5ac||78E4?EjPff3p8i_W#NLKiU5$`~PJBpX~pW{
eQCmPxk-
G{y*9OC;R_o|DWvtll_0P|4;V+$^Jjt|0nzZWdEP+|C9ZHvj0!^|H=M8+5ac||78E4?EjPff3pAoJlg*^$=dz`Yx@ffkw2P^eX@H_AP@)y0)apv5C{YU
VX63kNtILw
"""
META = """
c-rlqUu@jSeaBa}&%Tq-
w$8afKHn9+ux)bJNK5V?a#v~%oFd8g!nUMHvW?u~AaKdyiYG2fbGTZ`j)6QBMGLej3M4?0plyO6F9rHkppR|e`V!!Z7PzAS0Hf$zn-
)cp$5#CfIpk6+t^7y6);7K$fSUQuaQ<p$$lq{wrc_EfA<duu{i{DcCM*-
Fe4(_Lx25@W(tKZ<KVSM9|FQEQKPdqK000000002snPcoR_5V{t`u_*g{K3zHn}7Hh$NmmA3IG5A0000006cpf%gs}{TS(U{be)s(HeD|j<_o%V9^hNj
?Ezh<3vvF#ko<WmonLq`p2~l8dJw-AF*9bi8H<R|{_}Uf{Of1_^G6%IyKdL)u&C$9ZkLVD`?1{qo=oEnDSsgI_%2<(*=24}wgNvkU7tmEnIg8zTh$<p-
N5JL7x#Hp%1fyq_sx)R1o1VtlUZXH@sL^LM!XX;UX0ca)F5Pj?!r}Bf+-
O|t*EPHod59~_mseLZ;?Nxpv)+hvR1B6*=$RhRKh5*80X5&J*CH4l$frq%xIHJCo%6&DrVH78$MRlw(G0hV=SbAHAB-
h<&#Op>eFqCN=}v;nr+u}W0xfnwu7E;yM9N6ots@=pS!wrdy(!F_W9Yl^`%=2D=V$}1?hBobz!YFp9ys9!ip4bTw7eqJQf$$)>me4ONoM9$-
|IvvnX69b094bBoW8gTZ{ALymG5Gmt|n}o2!(^m8GRM>2R%e{kpWy-kfi(t>0d0tu2T`Gsj_8>~66auxufVx-PXk`-LkTwdKfjsc@n>-
%~_?qNclYy>)}`SzNl@x-O#JFe55@MXS~)6&^ToYQIl4;|GhZzZ|(+uE#o}jmJ@siAaMW77ac$;|<Xlw#-
P4yP?Yb&Q!%Pnwr{fD|BC%I)qHyW;}L%GfsP?D!L&hEpsF#9`qusAj{!H{9F8hi*72i#I~80SVV`WBJPVj?dURU%9g{6ac2$(Mb6{MwPI6@D2m9v%`P=
`U3j>6*(F2QYsTiNB-JqHgJj7emGg9Sm%~fN`mWDo)3-
zp!nnJg<U%tHBg>IyR5c|TtuE;!Gs8E!htxsp`v}!5ldLovjYq77?wua%u|e9ooF|^UJmJ5W?-c5pgrTBIhes-
06dafWJygEf21H%UbN$}7=tB`pV@{qRlr1;0Qjak`FX$^Xj_Gkm&m=2-
Y$;K{tB5>HZ_y+3yo$1Q%})b*tX0V7`odN_O5o;E0yiE%u$~9jj*_x|l)%$R$#&%lQmz?CNwGQ{SiGZzJ<*&v4eg>eCF41b$5tl_dLdty!?w>Idbx?!(
4)7hsfy?r^d`qcGi!p`@Jwx6WJ!u{XcfgCjcNrk8S{${K8yQ7w3+0qYw}HIi}ceMEHTilrWLxBwiLK{iOR)ID~Q-
YVoBdm1&`iqeQRf(M$35MD!N{@?zuc3a@u<vw>Fr)ZnJi;Biv}zP#rhw_RT_S+~TfyKcF{gJMg`op=`H%gXo-r)s5~9Vkl&n?9rVm8Xr3J-
c4h`{a$Dv_+}2B34j-
c<GC(<B6s_+p#O``f0eG2bp5XM|4i!IS%|+Zjn?Pi|7_~}|2Dn5>zQrl@zI+6SZ)^!4=&PmMZ~s8w<gUz=!W#f;LN5+M^!gwYL=<jY|Uvl9KF_Lj5YO!
R&CZDr%v8lt<kjFx^8OIZLPv;)-
=<Nrm2|}g8Zv>Cf<9#{oudGh6lU%Kdb)Jui6;w0000000000yda#&HSqKcztDe|=^B@sxR5_8rQgys*_87EncR``ds4nH=L05+8azKUl(O()etd4oIr;
F<PY$_y%;fBl>4TK)3q5}m|5yM300000005xCOSuYtBG>;vET!xBza#xVEA3qm@V8Rme<1z;cx>Qr`hE~6D-{pX*7q*kzfc-
%Ga!=waw%Pwuy@IRGA~dT3&7a6*$q8b4x)}4GqbDqS$n2Zu995dyZl}TikOoGq<i)+Pf#Cx{x`e3u^Dw(JUYk6bGs%Be?`h&Svhqne@{-
Th%(x4hw)f0RcJE9VwTmOwyTXwZMrSiB}}sh)26jXy;f&N#nNhqU2nIiD;i_Aq1QB{&K#>^S=03j>oVIl#hNuU3_aIM>R8?K?Xn$Mn=C5Zu2|jK?g{sD
*YsV7(k^dRzxFAoe};RP{p95SRSs$C(G36q000000N{n^WUk_l<@*1GRLF%nO4)u1RR;h700000002BUWV`-Nl+w-
lUY7FN+&$$rX`Ywnm!z4U2Y6AM?@04qR4o7i00000008jJkm>uwOWcd={hOt9oxsOZ{>@V1_x<}8)a$?XYxd*r_xBcEua}1R`|DU`wjH_=t7=tas#2M%
*48v_M$>0%`bYV1{ZHYa2mk;80000006c_Oa*h1q`~Uxe^#8}w;3w{azb+lN|NjTS@|EvC?tH*kO9$=$-
?5UP@@JZVIoM*6XYM%sDINy!KWFy;NWQlCr@w<A$pZiY000000C=7m&o%J$`@c|nHK~1P`}_BY<UcFOPf7JYK9nsPt#0XcyVji6ET%iGYBk%&G^yqdy<
KS-P1|l-
6u!<3qso}pY&Prlx?Oh+tLadZHK+2*!O<RdE56fcHvj+t000000G=;S=lcJ{zyH4`KhiIa?fw40Fm~AY|MJ`q|MlVD|MwmV@C&8E2K#rV+sO3*@*qKBI
&SAF%^Vz>l2_KA;*x^{_vQbq@At9f0000000000z*FPZTmyeOcl&lh{}=p5DLp6ff}9WduAC3}o|J!SEZs-&Tk`(j8%yUEvb6=jFXilO{14^)fiEW?j-
NSf{=i`BfA8)lC;5#!jNoCD3wyUV5X%;_$qsR9-
&ab5Z4kd9?Z=YIhHg1aQKZ)PdhDPx3DbFpGLM6Bin|@(^j2F}))rQ7&^@sgdwvl0{MhZXN1go;nR`RZAIJ=e{S?I+hI=zW5nJW0Y7iy|E{<Q^=T#{$rG
D9uCa$p^Cknb#N!ByRm_>u%QiRMJH^e!Eyu5c3WbfIEsw~u$2%uKfRWi>1$(#3-
z;bVqKP9TnD3!8Su1?u(OPN%{D6kmk%FI2b$61t^uC2^ylS)ULrfs_-yQX)=wdu}}wNLJoYt#{TMQyvj%00$Himhg7nx=d*sW5*_crMSbUA?6Cc%*uPW
qK;7n`a7gE)F~rODfVI5tr4cd?+eKZ<(Rlc0I}sOLE)}dcN)Y9g)=B?DG2D)ur2ubf2)#&(5tc-
C9^#Y0WQ4r^~AgYpwZApj#JKq;TWf;!@_ZxUjaqGJ9J}6y!=ChJ>3%;WC*6X?Y-tIKJLmoG0g%Tdlb)1FPR$r97@IEv-
q1Ypv_orFHh^d~0p}_DXAQA*n#eVOH#Ju@|sxA&a^$wQu`{D;xET$aAT1qHEk!M2DrOyK=pCgYH>ey4<=hqTDbeDtbk$)+ZGnIB{yfPc`EQi>$vKxm&K
sI--roQICm8gCG_SJ~ZPEicp9SSIDDFJwPUAGakEsassL7E}~;oS~3e#;z2L63bGud#Q(t$xajyI4{V!RiA4+%RHl7#r$dK~I_`#)mqOf`!$FaY(@-
sO6m6F&BKJ1C)X;U|;ofDJ3|+4oo1>Cc!<Y|}C5Keb)6HEDFBR*%K95b`5;+Lt?sk$3%`l8CN19R9lw|z7q>s!D-
{>Av2dVEPRIg03(r7duu@<^_daTC=Y3FjDc<%Cq|6aaRsAm#}iY6T%sc=znU<&k@`eGXp^`*k0$D->Dzc^4j;@u%>5y=|?IrxF-
Q=aShwndPLrCCbCQ+eFPN?pzLyr8elIHt!LC1j;fP$lYj6;W8}E&6U=NKq+W^V5KyuobeozOdDf61aJkz>UWbtmlEXqok}KCGhl7vR!$ClxxOOQmhUK7
H>0QPc$b^4*}7dl98Vpoz;ngUdWfz0bcdFL$6e^I(RJ<4V7Lsd1z*>FdN#bUx-{u(G9Jl*o%2lOr94-
2cO0LAlgi_);0MivqcutH#_l=P)#dzDQzim@y3;ln^q99fy9z=BNaSS7<_AIokrSt;3~RpwC=e)9&*}y8@D!?y>7F1uOr-O#8DkL>h{e-
YTV+kc$py8#14FKXDHk4-XJ<>V0EKAgBS|gC3|#dipG{shhBm|xqpBE*S}QdfpQAIaLx?rpkq=89WM>m`~R}kL4`aRC0-
qhDfCD&oT?l{odN&=00000007S#XLJ4krCk4C9@76mD(L@0HcRRE|4i--$=y=ne1QCe@tL8N<zo7CL(b`k>61gQ9y2-
P=Z9SLGXUPiKN0`{000000020IbGiP%_xt~ef<FI?QvVn3Z7*n#53B4xY3%VK>+b;o000000002+|H{M&{r^<K@2gT4e)88sXNRKMN`LWv5)}#n00000
0000ygS?jO|6{rSKT%3Q+6!~5GJ#400000000000o^#HR(Era$vpL<YOdGmhpXxJx>19+H0000000000@Er0bX->!^@UnyP-je18X}&GZi_&~Yn(v|t0
RR9100000fM=f9rFl$h{^I-phjfWA{WH=pDy94RXL|+SmGcDOkn*1w{H+bwvm@q@N-
tYyAQ0;dvb_Wc=L%X88#)fN^6&q0dUsbGNt&HiT2=XmS=Ei1nq}%WTXUKXN3S&*V@<uGRhxCksgt)>Yc#F4uAAC)TdS~|HO+LRX=)~gApdHe?LT`nO$-
eK000000002M3&k6`UcPt#KcScZOv>lz&lRb!5A^iW8vcpg{^8Kf!BshPkj*-XlLp0}fmfvb+r^oLee(eN=Ns?sod>9?gZzYM#QgXRn-
@qEe@fB6j)n&S00000007|sls9v&eedu8Uy)|8#Ujt#ad<XSa2$080000000000Ja4>}>;I2+{@;nAXmI`?0000000000@C<Vy*Z)VI|MwOu2><{9000
000C>*H_Vu5TJMo>8a(2?++1x+nHECw&24?36;9LLz000000002s*(KB4A9MZx+e6V{{XYNz00000008g|^G>e+k6QnK5tRf0000000000y=Va^jC*+F
%SEYPLnxoeLXY2m6-2pD3Dggih00000000000000000000000000000000000000000001hC+2?v>~>bZ
"""
